// An operator as people write them with controller-runtime: a manager with leader election and a cache, a custom resource with a
// finalizer and a status, a Deployment by server-side apply, a ConfigMap by create-or-update, and events. Built-in kinds travel as
// protobuf, as that library has it. The test beside it looks at what becomes of it in the cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	finalizer = "test.fairlead.dev/cleanup"
	owner     = "website-operator"
)

var websiteKind = schema.GroupVersionKind{Group: "test.fairlead.dev", Version: "v1", Kind: "Website"}

type reconciler struct {
	client.Client
	recorder record.EventRecorder
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	website := &unstructured.Unstructured{}
	website.SetGroupVersionKind(websiteKind)
	if err := r.Get(ctx, request.NamespacedName, website); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !website.GetDeletionTimestamp().IsZero() {
		return ctrl.Result{}, r.cleanUp(ctx, website)
	}
	if controllerutil.AddFinalizer(website, finalizer) {
		if err := r.Update(ctx, website); err != nil {
			return ctrl.Result{}, err
		}
	}
	if err := r.writeConfig(ctx, website); err != nil {
		return ctrl.Result{}, fmt.Errorf("config: %w", err)
	}
	deployment, err := r.applyDeployment(ctx, website)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("deployment: %w", err)
	}
	return ctrl.Result{}, r.writeStatus(ctx, website, deployment)
}

// What no owner reference can clean up: an object in another scope would be one; here it is a ConfigMap without an owner.
func (r *reconciler) cleanUp(ctx context.Context, website *unstructured.Unstructured) error {
	left := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: website.GetNamespace(), Name: website.GetName() + "-left"}}
	if err := r.Create(ctx, left); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	before := website.DeepCopy()
	controllerutil.RemoveFinalizer(website, finalizer)
	return r.Patch(ctx, website, client.MergeFrom(before))
}

func (r *reconciler) writeConfig(ctx context.Context, website *unstructured.Unstructured) error {
	text, _, _ := unstructured.NestedString(website.Object, "spec", "text")
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: website.GetNamespace(), Name: website.GetName()}}
	outcome, err := controllerutil.CreateOrUpdate(ctx, r.Client, config, func() error {
		config.Data = map[string]string{"text": text}
		return controllerutil.SetControllerReference(website, config, r.Scheme())
	})
	if err == nil && outcome != controllerutil.OperationResultNone {
		r.recorder.Eventf(website, corev1.EventTypeNormal, "Configured", "config map %s", outcome)
	}
	return err
}

func (r *reconciler) applyDeployment(ctx context.Context, website *unstructured.Unstructured) (*appsv1.Deployment, error) {
	replicas, _, _ := unstructured.NestedInt64(website.Object, "spec", "replicas")
	count := int32(replicas)
	labels := map[string]string{"website": website.GetName()}
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: website.GetNamespace(), Name: website.GetName(), Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &count,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.k8s.io/pause:3.10.2"}}},
			},
		},
	}
	if err := controllerutil.SetControllerReference(website, deployment, r.Scheme()); err != nil {
		return nil, err
	}
	//nolint:staticcheck // The older of the library's two ways to apply: it sends the typed object.
	err := r.Patch(ctx, deployment, client.Apply, client.FieldOwner(owner), client.ForceOwnership)
	return deployment, err
}

func (r *reconciler) writeStatus(ctx context.Context, website *unstructured.Unstructured, deployment *appsv1.Deployment) error {
	ready := int64(deployment.Status.ReadyReplicas)
	old, found, _ := unstructured.NestedInt64(website.Object, "status", "readyReplicas")
	if found && old == ready {
		return nil
	}
	if err := unstructured.SetNestedField(website.Object, ready, "status", "readyReplicas"); err != nil {
		return err
	}
	return r.Status().Update(ctx, website)
}

func run() error {
	ctrl.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	lease, renew, retry := 3*time.Second, 2*time.Second, 500*time.Millisecond
	manager, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme:                        clientgoscheme.Scheme,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		LeaderElection:                true,
		LeaderElectionID:              owner,
		LeaderElectionNamespace:       "default",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	})
	if err != nil {
		return err
	}
	website := &unstructured.Unstructured{}
	website.SetGroupVersionKind(websiteKind)
	//nolint:staticcheck // Events of core/v1 and of events.k8s.io are both in use.
	r := &reconciler{Client: manager.GetClient(), recorder: manager.GetEventRecorderFor(owner)}
	builder := ctrl.NewControllerManagedBy(manager).For(website).Owns(&appsv1.Deployment{}).Owns(&corev1.ConfigMap{})
	if err := builder.Named("website").Complete(r); err != nil {
		return err
	}
	go func() {
		<-manager.Elected()
		fmt.Println("elected")
	}()
	return manager.Start(ctrl.SetupSignalHandler())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
