// Package kubernetes holds the manifests of the gateway for Kubernetes. Its tests are a
// module of their own, since the types of Kubernetes bring many packages.
package kubernetes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kinds returns a new object for each kind of the manifests.
func kinds() map[string]any {
	return map[string]any{
		"v1 ServiceAccount":                      &corev1.ServiceAccount{},
		"v1 ConfigMap":                           &corev1.ConfigMap{},
		"v1 Namespace":                           &corev1.Namespace{},
		"v1 Service":                             &corev1.Service{},
		"apps/v1 Deployment":                     &appsv1.Deployment{},
		"batch/v1 Job":                           &batchv1.Job{},
		"networking.k8s.io/v1 Ingress":           &networkingv1.Ingress{},
		"networking.k8s.io/v1 NetworkPolicy":     &networkingv1.NetworkPolicy{},
		"autoscaling/v2 HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{},
		"policy/v1 PodDisruptionBudget":          &policyv1.PodDisruptionBudget{},
	}
}

// build builds the manifests in the folder as kubectl does, and decodes each strictly.
func build(t *testing.T, folder string) map[string]any {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	for _, r := range resources.Resources() {
		kind := strings.TrimPrefix(fmt.Sprintf("%s/%s %s", r.GetGvk().Group, r.GetGvk().Version, r.GetKind()), "/")
		object, known := kinds()[kind]
		if !known {
			t.Errorf("%s is not a kind that these manifests need", kind)
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			t.Errorf("%s %s: %v", kind, r.GetName(), err)
		}
		if found[r.GetKind()] != nil {
			t.Errorf("there are two objects of the kind %s", r.GetKind())
		}
		found[r.GetKind()] = object
	}
	return found
}

// TestManifests_AreStrictlyValid builds the base and the example.
func TestManifests_AreStrictlyValid(t *testing.T) {
	t.Parallel()
	for folder, missing := range map[string]string{"base": "Namespace", "overlays/example": ""} {
		found := build(t, folder)
		for kind := range kinds() {
			_, name, _ := strings.Cut(kind, " ")
			if (found[name] == nil) != (name == missing) {
				t.Errorf("%s has the objects %v", folder, found)
			}
		}
	}
}

// TestPods_AreRestricted checks what the policy "restricted" of Kubernetes demands, and what
// the image allows beyond it.
func TestPods_AreRestricted(t *testing.T) {
	t.Parallel()
	found := build(t, "base")
	deployment, job := found["Deployment"].(*appsv1.Deployment), found["Job"].(*batchv1.Job)
	for name, pod := range map[string]corev1.PodSpec{"deployment": deployment.Spec.Template.Spec, "job": job.Spec.Template.Spec} {
		s := pod.SecurityContext
		if s == nil || !*s.RunAsNonRoot || *s.RunAsUser != 65532 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod's security context is %+v", name, s)
		}
		if *pod.AutomountServiceAccountToken || pod.HostNetwork || pod.HostPID || pod.ServiceAccountName != "gateway" {
			t.Errorf("%s: the pod has more access than it needs", name)
		}
		if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
			t.Fatalf("%s: got other containers than the gateway", name)
		}
		c := pod.Containers[0]
		if p := c.SecurityContext; *p.AllowPrivilegeEscalation || !*p.ReadOnlyRootFilesystem || p.Privileged != nil ||
			!slices.Equal(p.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(p.Capabilities.Add) != 0 {
			t.Errorf("%s: the container's security context is %+v", name, p)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: the resources are %+v", name, c.Resources)
		}
		volumes := map[string]corev1.Volume{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = v
			if v.HostPath != nil {
				t.Errorf("%s: %s is a folder of the node", name, v.Name)
			}
		}
		for _, m := range c.VolumeMounts {
			if v, ok := volumes[m.Name]; !ok || (v.Secret != nil) != m.ReadOnly {
				t.Errorf("%s: %s is mounted from %+v", name, m.MountPath, v)
			}
		}
		for _, v := range c.Env {
			if secret := strings.HasPrefix(v.Value, "/secrets/"); secret != (strings.HasSuffix(v.Name, "_FILE") && !strings.HasPrefix(v.Name, "SSL_")) {
				t.Errorf("%s: %s is %q; secrets are files", name, v.Name, v.Value)
			}
		}
	}
	if *found["ServiceAccount"].(*corev1.ServiceAccount).AutomountServiceAccountToken {
		t.Error("the service account has a token")
	}
}

// TestDeployment_EndsWithoutLosingRequests checks the probes and the time that a pod has.
func TestDeployment_EndsWithoutLosingRequests(t *testing.T) {
	t.Parallel()
	pod := build(t, "base")["Deployment"].(*appsv1.Deployment).Spec.Template.Spec
	c := pod.Containers[0]
	for probe, path := range map[*corev1.Probe]string{c.StartupProbe: "/health", c.LivenessProbe: "/health", c.ReadinessProbe: "/ready"} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Scheme != corev1.URISchemeHTTPS {
			t.Errorf("a probe is %+v, want one of %s", probe, path)
		}
	}
	const finish = 10 // seconds that the gateway takes for requests in progress
	if sleep := c.Lifecycle.PreStop.Sleep; sleep == nil || sleep.Seconds+finish >= *pod.TerminationGracePeriodSeconds {
		t.Errorf("the pod has %d s to end after %+v", *pod.TerminationGracePeriodSeconds, sleep)
	}
	if len(pod.TopologySpreadConstraints) != 2 {
		t.Errorf("pods are spread by %+v, want zones and nodes", pod.TopologySpreadConstraints)
	}
}

// TestObjects_ReferToEachOther checks names, labels and ports across the manifests.
func TestObjects_ReferToEachOther(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"base", "overlays/example"} {
		found := build(t, folder)
		deployment := found["Deployment"].(*appsv1.Deployment)
		labels := deployment.Spec.Template.Labels
		ports := map[string]int32{}
		for _, p := range deployment.Spec.Template.Spec.Containers[0].Ports {
			ports[p.Name] = p.ContainerPort
		}
		service, policy := found["Service"].(*corev1.Service), found["NetworkPolicy"].(*networkingv1.NetworkPolicy)
		for what, selector := range map[string]map[string]string{
			"deployment": deployment.Spec.Selector.MatchLabels, "service": service.Spec.Selector,
			"disruption budget": found["PodDisruptionBudget"].(*policyv1.PodDisruptionBudget).Spec.Selector.MatchLabels,
			"network policy":    policy.Spec.PodSelector.MatchLabels,
		} {
			for key, value := range selector {
				if labels[key] != value {
					t.Errorf("%s: the %s selects %s=%s", folder, what, key, value)
				}
			}
		}
		job := found["Job"].(*batchv1.Job)
		if service.Spec.Selector["app.kubernetes.io/component"] == job.Spec.Template.Labels["app.kubernetes.io/component"] {
			t.Errorf("%s: the service selects the migration", folder)
		}
		if service.Spec.Ports[0].TargetPort.StrVal != "https" || ports["https"] == 0 {
			t.Errorf("%s: the service forwards to %v", folder, service.Spec.Ports)
		}
		for _, rule := range policy.Spec.Ingress {
			for _, p := range rule.Ports {
				if ports[p.Port.StrVal] == 0 {
					t.Errorf("%s: the network policy opens %s", folder, p.Port)
				}
			}
		}
		rule := found["Ingress"].(*networkingv1.Ingress).Spec.Rules[0]
		if b := rule.HTTP.Paths[0].Backend.Service; b.Name != service.Name || b.Port.Name != service.Spec.Ports[0].Name ||
			found["Ingress"].(*networkingv1.Ingress).Spec.TLS[0].Hosts[0] != rule.Host {
			t.Errorf("%s: the ingress forwards %s to %+v", folder, rule.Host, b)
		}
		scaler, settings := found["HorizontalPodAutoscaler"].(*autoscalingv2.HorizontalPodAutoscaler), found["ConfigMap"].(*corev1.ConfigMap)
		if scaler.Spec.ScaleTargetRef.Name != deployment.Name || *scaler.Spec.MinReplicas < 2 || deployment.Spec.Replicas != nil {
			t.Errorf("%s: the autoscaler is %+v", folder, scaler.Spec)
		}
		if from := deployment.Spec.Template.Spec.Containers[0].EnvFrom; len(from) != 1 || from[0].ConfigMapRef.Name != settings.Name {
			t.Errorf("%s: the settings are from %+v, want %s", folder, from, settings.Name)
		}
		if settings.Data["METRICS_ADDR"] != fmt.Sprintf(":%d", ports["metrics"]) {
			t.Errorf("%s: METRICS_ADDR is %s", folder, settings.Data["METRICS_ADDR"])
		}
		// PostgreSQL accepts 100 connections by default, 3 of them only from superusers.
		var conns int32
		if _, err := fmt.Sscan(settings.Data["DATABASE_MAX_CONNECTIONS"], &conns); err != nil || conns*scaler.Spec.MaxReplicas > 97-2 {
			t.Errorf("%s: %d pods open %d connections each, %v", folder, scaler.Spec.MaxReplicas, conns, err)
		}
	}
}

// TestExample_HasItsOwnNames checks that the example replaces what the base cannot know.
func TestExample_HasItsOwnNames(t *testing.T) {
	t.Parallel()
	found := build(t, "overlays/example")
	for name, pod := range map[string]corev1.PodSpec{
		"deployment": found["Deployment"].(*appsv1.Deployment).Spec.Template.Spec, "job": found["Job"].(*batchv1.Job).Spec.Template.Spec,
	} {
		if image := pod.Containers[0].Image; image != "registry.example.org/voiceassist/gateway:v1.0.0" {
			t.Errorf("%s has the image %s", name, image)
		}
	}
	if host := found["Ingress"].(*networkingv1.Ingress).Spec.Rules[0].Host; host != "api.example.org" {
		t.Errorf("the host is %s", host)
	}
	if to := found["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.Egress[1].To; len(to) != 1 || to[0].IPBlock.CIDR != "10.20.0.0/16" {
		t.Errorf("the gateway may connect to %+v", to)
	}
	if ns := found["Namespace"].(*corev1.Namespace); found["Deployment"].(*appsv1.Deployment).Namespace != ns.Name ||
		ns.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("the namespace is %+v", ns.ObjectMeta)
	}
}
