// A program that reads nothing but protocol buffers, made of client-go: it lists, creates, watches, deletes, and tells in JSON what it saw.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const protobuf = "application/vnd.kubernetes.protobuf"

type seen struct {
	Service    string `json:"service"`
	ClusterIP  string `json:"clusterIP"`
	NotFound   bool   `json:"notFound"`
	Made       string `json:"made"`
	Bytes      []byte `json:"bytes"`
	Watched    string `json:"watched"`
	Roles      int    `json:"roles"`
	SlicePorts int    `json:"slicePorts"`
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err)
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf
	client := kubernetes.NewForConfigOrDie(config)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out seen

	services, err := client.CoreV1().Services("default").List(ctx, metav1.ListOptions{})
	must(err)
	out.Service, out.ClusterIP = services.Items[0].Name, services.Items[0].Spec.ClusterIP

	maps := client.CoreV1().ConfigMaps("default")
	_, err = maps.Get(ctx, "none", metav1.GetOptions{})
	out.NotFound = apierrors.IsNotFound(err)

	watch, err := maps.Watch(ctx, metav1.ListOptions{})
	must(err)
	made, err := maps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "made", Labels: map[string]string{"a": "b"}},
		Data:       map[string]string{"k": "v"},
		BinaryData: map[string][]byte{"b": {0, 1, 255}},
	}, metav1.CreateOptions{})
	must(err)
	out.Made, out.Bytes = made.Data["k"], made.BinaryData["b"]
	for event := range watch.ResultChan() {
		if object, ok := event.Object.(*corev1.ConfigMap); ok && object.Name == "made" {
			out.Watched = string(event.Type) + " " + object.Labels["a"]
			break
		}
	}
	watch.Stop()
	must(maps.Delete(ctx, "made", metav1.DeleteOptions{}))

	roles, err := client.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	must(err)
	out.Roles = len(roles.Items)
	slices, err := client.DiscoveryV1().EndpointSlices("default").List(ctx, metav1.ListOptions{})
	must(err)
	out.SlicePorts = len(slices.Items[0].Ports)
	must(json.NewEncoder(os.Stdout).Encode(out))
}
