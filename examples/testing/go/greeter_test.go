package greeting

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const patience = 60 * time.Second

func TestGreeting(t *testing.T) {
	cluster := startCluster(t)
	ctx, cancel := context.WithCancel(context.Background())
	// A name of its own for what is tested, so that it can be cut off alone.
	operator := rest.CopyConfig(cluster.Config)
	operator.Impersonate = rest.ImpersonationConfig{UserName: "greeter", Groups: []string{"system:masters"}}
	manager, err := ctrl.NewManager(operator, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Greeter{manager.GetClient()}).SetupWithManager(manager); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })

	api, err := client.New(cluster.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"greet": "true"}}}
	if err := api.Create(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKey{Namespace: "shop", Name: "greeting"}
	until(t, "there is a greeting", func() bool {
		var found corev1.ConfigMap
		return api.Get(ctx, key, &found) == nil && found.Data["text"] == "hello shop"
	})

	// Somebody deletes it while the reconciler's requests hang: it is made again when they come through.
	fault := cluster.Order(t, "faults.partition", map[string]any{"from": "greeter", "how": "hang"})
	if err := api.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeting"}}); err != nil {
		t.Fatal(err)
	}
	cluster.Order(t, "faults.end", map[string]any{"fault": fault["fault"]})
	until(t, "it is there again", func() bool { return api.Get(ctx, key, &corev1.ConfigMap{}) == nil })

	namespace.Labels = nil
	if err := api.Update(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	until(t, "it is gone with the label", func() bool { return apierrors.IsNotFound(api.Get(ctx, key, &corev1.ConfigMap{})) })
}

func until(t *testing.T, what string, right func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(context.Background(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) { return right(), nil })
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
