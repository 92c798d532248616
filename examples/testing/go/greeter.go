// Package greeting has a reconciler that gives every Namespace labelled greet=true a ConfigMap named greeting.
package greeting

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Greeter reconciles Namespaces.
type Greeter struct {
	client.Client
}

// SetupWithManager follows Namespaces and the ConfigMaps that they own.
func (g *Greeter) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).For(&corev1.Namespace{}).Owns(&corev1.ConfigMap{}).Complete(g)
}

// Reconcile makes the ConfigMap, or takes it away where the label is gone.
func (g *Greeter) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var namespace corev1.Namespace
	if err := g.Get(ctx, request.NamespacedName, &namespace); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	greeting := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "greeting"}}
	if namespace.Labels["greet"] != "true" || !namespace.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, client.IgnoreNotFound(g.Delete(ctx, &greeting))
	}
	_, err := controllerutil.CreateOrUpdate(ctx, g.Client, &greeting, func() error {
		greeting.Data = map[string]string{"text": "hello " + namespace.Name}
		return controllerutil.SetControllerReference(&namespace, &greeting, g.Scheme())
	})
	return ctrl.Result{}, err
}
