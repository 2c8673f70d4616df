package monitor

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThoseWhoComeDuringAVisitShareTheNextOne(t *testing.T) {
	var made atomic.Int32
	began, goOn := make(chan struct{}, 8), make(chan struct{})
	v := &visits[int32]{patience: time.Minute, make: func() int32 {
		n := made.Add(1)
		began <- struct{}{}
		<-goOn
		return n
	}}
	first := v.join()
	<-began
	second, third := v.join(), v.join()
	require.Same(t, second, third)
	goOn <- struct{}{}
	<-first.over
	require.EqualValues(t, 1, first.result)
	<-began
	goOn <- struct{}{}
	<-second.over
	require.EqualValues(t, 2, second.result, "it began after they came")
	require.EqualValues(t, 2, made.Load())

	// The one before must be over, or this one would be shared.
	require.Eventually(t, func() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.now == nil }, time.Minute, time.Millisecond)
	go func() { goOn <- struct{}{} }()
	n, err := v.get(context.Background())
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
}

func TestAVisitorDoesNotWaitForEver(t *testing.T) {
	goOn := make(chan struct{})
	v := &visits[int]{patience: time.Millisecond, make: func() int { <-goOn; return 1 }}
	_, err := v.get(context.Background())
	require.ErrorIs(t, err, ErrNoAnswer)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	v.patience = time.Minute
	_, err = v.get(ctx)
	require.ErrorIs(t, err, context.Canceled)
	close(goOn)
	one, err := v.get(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, one)
}
