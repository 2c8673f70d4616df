package acceptance_test

// manifest is as much of any object of Kubernetes as is looked at.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Selector      map[string]any
		statefulSet   `yaml:",inline"`
		service       `yaml:",inline"`
		budget        `yaml:",inline"`
		networkPolicy `yaml:",inline"`
	}
}

type statefulSet struct {
	ServiceName string `yaml:"serviceName"`
	Replicas    int
	Management  string `yaml:"podManagementPolicy"`
	Template    struct {
		Metadata struct{ Labels labels }
		Spec     podSpec
	}
	Claims []claim `yaml:"volumeClaimTemplates"`
}

type podSpec struct {
	Grace    *int `yaml:"terminationGracePeriodSeconds"`
	Affinity struct {
		Anti struct {
			Required []struct {
				TopologyKey string `yaml:"topologyKey"`
				Selector    struct {
					MatchLabels labels `yaml:"matchLabels"`
				} `yaml:"labelSelector"`
			} `yaml:"requiredDuringSchedulingIgnoredDuringExecution"`
		} `yaml:"podAntiAffinity"`
	}
	Containers []container
}

type container struct {
	Args  []string
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Liveness struct {
		HTTPGet probe `yaml:"httpGet"`
	} `yaml:"livenessProbe"`
	Readiness struct {
		HTTPGet probe `yaml:"httpGet"`
	} `yaml:"readinessProbe"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type claim struct {
	Metadata struct{ Name string }
	Spec     struct {
		AccessModes []string `yaml:"accessModes"`
		Resources   struct{ Requests struct{ Storage string } }
	}
}

type service struct {
	Type      string
	ClusterIP string `yaml:"clusterIP"`
	NotReady  bool   `yaml:"publishNotReadyAddresses"`
	Ports     []struct {
		TargetPort string `yaml:"targetPort"`
		Port       int
	}
}

type budget struct {
	MaxUnavailable any `yaml:"maxUnavailable"`
	MinAvailable   any `yaml:"minAvailable"`
}

type networkPolicy struct {
	PodSelector struct {
		MatchLabels labels `yaml:"matchLabels"`
	} `yaml:"podSelector"`
	PolicyTypes []string `yaml:"policyTypes"`
	Ingress     []struct {
		From []struct {
			PodSelector struct {
				MatchLabels labels `yaml:"matchLabels"`
			} `yaml:"podSelector"`
		}
		Ports []struct{ Port any }
	}
}

type labels map[string]string

// selects are the labels that an object wants of pods.
func (m *manifest) selects() labels {
	wanted := m.Spec.Selector
	if inner, ok := wanted["matchLabels"].(map[string]any); ok {
		wanted = inner
	}
	all := labels{}
	for key, value := range wanted {
		all[key], _ = value.(string)
	}
	if m.Kind == "NetworkPolicy" {
		return m.Spec.PodSelector.MatchLabels
	}
	return all
}

func (l labels) match(pod labels) bool {
	for key, value := range l {
		if pod[key] != value {
			return false
		}
	}
	return len(l) > 0
}

// labels are those of the pods of a StatefulSet.
func (m *manifest) labels() labels { return m.Spec.Template.Metadata.Labels }

// container is the only one of the pods of a StatefulSet.
func (m *manifest) container() *container { return &m.Spec.Template.Spec.Containers[0] }

// ports are those of the container by name.
func (m *manifest) ports() map[string]int {
	ports := map[string]int{}
	for _, p := range m.container().Ports {
		ports[p.Name] = p.ContainerPort
	}
	return ports
}

// sets are the StatefulSets with pods that have the labels, and count is how many pods these are.
func sets(all []manifest, wanted labels) (found []*manifest, count int) {
	for i := range all {
		if m := &all[i]; m.Kind == "StatefulSet" && wanted.match(m.labels()) {
			found, count = append(found, m), count+m.Spec.Replicas
		}
	}
	return found, count
}
