package promtest

// valueType is what an expression gives.
type valueType string

const (
	scalar  valueType = "a scalar"
	vector  valueType = "an instant vector"
	ranged  valueType = "a range vector"
	quoted  valueType = "a string"
	nothing valueType = ""
)

// function is what a function takes and gives.
type function struct {
	takes    []valueType
	optional int // how many of the last ones may be left out
	variadic bool
	gives    valueType
}

func of(gives valueType, takes ...valueType) function { return function{takes: takes, gives: gives} }

// may lets the last arguments be left out.
func (f function) may(optional int) function {
	f.optional = optional
	return f
}

var functions = map[string]function{
	"abs": of(vector, vector), "absent": of(vector, vector), "absent_over_time": of(vector, ranged), "avg_over_time": of(vector, ranged),
	"ceil": of(vector, vector), "changes": of(vector, ranged), "clamp": of(vector, vector, scalar, scalar), "clamp_max": of(vector, vector, scalar),
	"clamp_min": of(vector, vector, scalar), "count_over_time": of(vector, ranged), "delta": of(vector, ranged), "deriv": of(vector, ranged),
	"exp": of(vector, vector), "floor": of(vector, vector), "histogram_quantile": of(vector, scalar, vector), "idelta": of(vector, ranged),
	"increase": of(vector, ranged), "irate": of(vector, ranged), "label_join": {takes: []valueType{vector, quoted, quoted, quoted}, variadic: true, gives: vector},
	"label_replace": of(vector, vector, quoted, quoted, quoted, quoted), "last_over_time": of(vector, ranged), "ln": of(vector, vector),
	"log10": of(vector, vector), "log2": of(vector, vector), "max_over_time": of(vector, ranged), "min_over_time": of(vector, ranged),
	"predict_linear": of(vector, ranged, scalar), "present_over_time": of(vector, ranged), "quantile_over_time": of(vector, scalar, ranged),
	"rate": of(vector, ranged), "resets": of(vector, ranged), "round": of(vector, vector, scalar).may(1), "scalar": of(scalar, vector),
	"sgn": of(vector, vector), "sort": of(vector, vector), "sort_desc": of(vector, vector), "sqrt": of(vector, vector),
	"sum_over_time": of(vector, ranged), "time": of(scalar), "timestamp": of(vector, vector), "vector": of(vector, scalar),
}

// aggregations by name, and what they take before the vector.
var aggregations = map[string]valueType{
	"sum": nothing, "min": nothing, "max": nothing, "avg": nothing, "count": nothing, "group": nothing, "stddev": nothing, "stdvar": nothing,
	"topk": scalar, "bottomk": scalar, "quantile": scalar, "count_values": quoted,
}
