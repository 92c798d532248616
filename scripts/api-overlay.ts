/**
 * What the client library's models do not carry: the package of each type, and the merge markers of its fields
 * (Kubernetes 1.36 `types.go`: `+listType`, `+listMapKey`, `+mapType`, `+patchStrategy`, `+patchMergeKey`).
 * `scripts/generate-api.ts` joins this with the models of `@kubernetes/client-node`.
 */

/** package → the types in it. The kinds that the API serves and everything that they are made of. */
export const packages: Readonly<Record<string, string>> = {
  "io.k8s.api.admissionregistration.v1":
    "AdmissionregistrationServiceReference AdmissionregistrationWebhookClientConfig AuditAnnotation ExpressionWarning " +
    "MatchCondition MatchResources MutatingWebhook MutatingWebhookConfiguration NamedRuleWithOperations ParamKind ParamRef " +
    "RuleWithOperations TypeChecking ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding " +
    "ValidatingAdmissionPolicyBindingSpec ValidatingAdmissionPolicySpec ValidatingAdmissionPolicyStatus ValidatingWebhook " +
    "ValidatingWebhookConfiguration Validation Variable",
  "io.k8s.api.apps.v1":
    "ControllerRevision DaemonSet DaemonSetCondition DaemonSetSpec DaemonSetStatus DaemonSetUpdateStrategy " +
    "Deployment DeploymentCondition DeploymentSpec DeploymentStatus DeploymentStrategy ReplicaSet " +
    "ReplicaSetCondition ReplicaSetSpec ReplicaSetStatus RollingUpdateDaemonSet RollingUpdateDeployment " +
    "RollingUpdateStatefulSetStrategy StatefulSet StatefulSetCondition StatefulSetOrdinals " +
    "StatefulSetPersistentVolumeClaimRetentionPolicy StatefulSetSpec StatefulSetStatus StatefulSetUpdateStrategy",
  "io.k8s.api.authentication.v1":
    "BoundObjectReference SelfSubjectReview SelfSubjectReviewStatus TokenRequest TokenRequestSpec " +
    "TokenRequestStatus TokenReview TokenReviewSpec TokenReviewStatus UserInfo",
  "io.k8s.api.authorization.v1":
    "FieldSelectorAttributes LabelSelectorAttributes LocalSubjectAccessReview NonResourceAttributes NonResourceRule " +
    "ResourceAttributes ResourceRule SelfSubjectAccessReview SelfSubjectAccessReviewSpec SelfSubjectRulesReview " +
    "SelfSubjectRulesReviewSpec SubjectAccessReview SubjectAccessReviewSpec SubjectAccessReviewStatus " +
    "SubjectRulesReviewStatus",
  "io.k8s.api.autoscaling.v1": "Scale ScaleSpec ScaleStatus",
  "io.k8s.api.batch.v1":
    "CronJob CronJobSpec CronJobStatus Job JobCondition JobSpec JobStatus JobTemplateSpec PodFailurePolicy " +
    "PodFailurePolicyOnExitCodesRequirement PodFailurePolicyOnPodConditionsPattern PodFailurePolicyRule " +
    "SuccessPolicy SuccessPolicyRule UncountedTerminatedPods",
  "io.k8s.api.certificates.v1":
    "CertificateSigningRequest CertificateSigningRequestCondition CertificateSigningRequestSpec " + "CertificateSigningRequestStatus",
  "io.k8s.api.coordination.v1": "Lease LeaseSpec",
  "io.k8s.api.core.v1":
    "AWSElasticBlockStoreVolumeSource Affinity AppArmorProfile AttachedVolume AzureDiskVolumeSource " +
    "AzureFilePersistentVolumeSource AzureFileVolumeSource Binding CSIPersistentVolumeSource CSIVolumeSource " +
    "Capabilities CephFSPersistentVolumeSource CephFSVolumeSource CinderPersistentVolumeSource CinderVolumeSource " +
    "ClientIPConfig ClusterTrustBundleProjection ComponentCondition ComponentStatus ConfigMap ConfigMapEnvSource " +
    "ConfigMapKeySelector ConfigMapNodeConfigSource ConfigMapProjection ConfigMapVolumeSource Container " +
    "ContainerExtendedResourceRequest ContainerImage ContainerPort ContainerResizePolicy ContainerRestartRule " +
    "ContainerRestartRuleOnExitCodes ContainerState ContainerStateRunning ContainerStateTerminated " +
    "ContainerStateWaiting ContainerStatus ContainerUser DaemonEndpoint DownwardAPIProjection DownwardAPIVolumeFile " +
    "DownwardAPIVolumeSource EmptyDirVolumeSource EndpointAddress EndpointPort EndpointSubset Endpoints " +
    "EnvFromSource EnvVar EnvVarSource EphemeralContainer EphemeralVolumeSource Event EventSeries EventSource " +
    "ExecAction FCVolumeSource FileKeySelector FlexPersistentVolumeSource FlexVolumeSource FlockerVolumeSource " +
    "GCEPersistentDiskVolumeSource GRPCAction GitRepoVolumeSource GlusterfsPersistentVolumeSource " +
    "GlusterfsVolumeSource HTTPGetAction HTTPHeader HostAlias HostIP HostPathVolumeSource " +
    "ISCSIPersistentVolumeSource ISCSIVolumeSource ImageVolumeSource ImageVolumeStatus KeyToPath Lifecycle " +
    "LifecycleHandler LimitRange LimitRangeItem LimitRangeSpec LinuxContainerUser LoadBalancerIngress " +
    "LoadBalancerStatus LocalObjectReference LocalVolumeSource ModifyVolumeStatus NFSVolumeSource Namespace " +
    "NamespaceCondition NamespaceSpec NamespaceStatus Node NodeAddress NodeAffinity " +
    "NodeAllocatableResourceClaimStatus NodeCondition NodeConfigSource NodeConfigStatus NodeDaemonEndpoints " +
    "NodeFeatures NodeRuntimeHandler NodeRuntimeHandlerFeatures NodeSelector NodeSelectorRequirement " +
    "NodeSelectorTerm NodeSpec NodeStatus NodeSwapStatus NodeSystemInfo ObjectFieldSelector ObjectReference " +
    "PersistentVolume PersistentVolumeClaim PersistentVolumeClaimCondition PersistentVolumeClaimSpec " +
    "PersistentVolumeClaimStatus PersistentVolumeClaimTemplate PersistentVolumeClaimVolumeSource " +
    "PersistentVolumeSpec PersistentVolumeStatus PhotonPersistentDiskVolumeSource Pod PodAffinity PodAffinityTerm " +
    "PodAntiAffinity PodCertificateProjection PodCondition PodDNSConfig PodDNSConfigOption " +
    "PodExtendedResourceClaimStatus PodIP PodOS PodReadinessGate PodResourceClaim PodResourceClaimStatus " +
    "PodSchedulingGate PodSchedulingGroup PodSecurityContext PodSpec PodStatus PodTemplate PodTemplateSpec " +
    "PortStatus PortworxVolumeSource PreferredSchedulingTerm Probe ProjectedVolumeSource QuobyteVolumeSource " +
    "RBDPersistentVolumeSource RBDVolumeSource ReplicationController ReplicationControllerCondition " +
    "ReplicationControllerSpec ReplicationControllerStatus ResourceClaim ResourceFieldSelector ResourceHealth " +
    "ResourceQuota ResourceQuotaSpec ResourceQuotaStatus ResourceRequirements ResourceStatus SELinuxOptions " +
    "ScaleIOPersistentVolumeSource ScaleIOVolumeSource ScopeSelector ScopedResourceSelectorRequirement " +
    "SeccompProfile Secret SecretEnvSource SecretKeySelector SecretProjection SecretReference SecretVolumeSource " +
    "SecurityContext Service ServiceAccount ServiceAccountTokenProjection ServicePort ServiceSpec ServiceStatus " +
    "SessionAffinityConfig SleepAction StorageOSPersistentVolumeSource StorageOSVolumeSource Sysctl TCPSocketAction " +
    "Taint Toleration TopologySelectorLabelRequirement TopologySelectorTerm TopologySpreadConstraint " +
    "TypedLocalObjectReference TypedObjectReference Volume VolumeDevice VolumeMount VolumeMountStatus " +
    "VolumeNodeAffinity VolumeProjection VolumeResourceRequirements VolumeStatus VsphereVirtualDiskVolumeSource " +
    "WeightedPodAffinityTerm WindowsSecurityContextOptions",
  "io.k8s.api.discovery.v1": "Endpoint EndpointConditions EndpointHints DiscoveryEndpointPort EndpointSlice ForNode ForZone",
  "io.k8s.api.events.v1": "EventsEvent EventsEventSeries",
  "io.k8s.api.networking.v1":
    "HTTPIngressPath HTTPIngressRuleValue IPAddress IPAddressSpec IPBlock Ingress IngressBackend IngressClass " +
    "IngressClassParametersReference IngressClassSpec IngressLoadBalancerIngress IngressLoadBalancerStatus " +
    "IngressPortStatus IngressRule IngressServiceBackend IngressSpec IngressStatus IngressTLS NetworkPolicy " +
    "NetworkPolicyEgressRule NetworkPolicyIngressRule NetworkPolicyPeer NetworkPolicyPort NetworkPolicySpec " +
    "ParentReference ServiceBackendPort ServiceCIDR ServiceCIDRSpec ServiceCIDRStatus",
  "io.k8s.api.policy.v1": "Eviction PodDisruptionBudget PodDisruptionBudgetSpec PodDisruptionBudgetStatus",
  "io.k8s.api.rbac.v1": "AggregationRule ClusterRole ClusterRoleBinding PolicyRule Role RoleBinding RoleRef Subject",
  "io.k8s.api.scheduling.v1": "PriorityClass",
  "io.k8s.api.storage.v1": "StorageClass",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1":
    "CustomResourceColumnDefinition CustomResourceConversion CustomResourceDefinition " +
    "CustomResourceDefinitionCondition CustomResourceDefinitionNames CustomResourceDefinitionSpec " +
    "CustomResourceDefinitionStatus CustomResourceDefinitionVersion CustomResourceSubresourceScale " +
    "CustomResourceSubresourceStatus CustomResourceSubresources CustomResourceValidation ExternalDocumentation JSON " +
    "JSONSchemaProps JSONSchemaPropsOrArray JSONSchemaPropsOrBool JSONSchemaPropsOrStringArray SelectableField " +
    "ServiceReference ValidationRule WebhookClientConfig WebhookConversion",
  "io.k8s.apimachinery.pkg.api.resource": "Quantity",
  "io.k8s.apimachinery.pkg.apis.meta.v1":
    "APIGroup APIGroupList APIResource APIResourceList APIVersions Condition DeleteOptions FieldSelectorRequirement " +
    "FieldsV1 GroupVersionForDiscovery LabelSelector LabelSelectorRequirement ListMeta ManagedFieldsEntry MicroTime " +
    "ObjectMeta OwnerReference Preconditions ServerAddressByClientCIDR ShardInfo Status StatusCause StatusDetails " +
    "Time WatchEvent",
  "io.k8s.apimachinery.pkg.runtime": "RawExtension",
  "io.k8s.apimachinery.pkg.util.intstr": "IntOrString",
};

/** Fields that hold a Quantity, or a map of them. */
export const quantities: readonly string[] = [
  "ContainerStatus.allocatedResources",
  "EmptyDirVolumeSource.sizeLimit",
  "LimitRangeItem.default",
  "LimitRangeItem.defaultRequest",
  "LimitRangeItem.max",
  "LimitRangeItem.maxLimitRequestRatio",
  "LimitRangeItem.min",
  "NodeAllocatableResourceClaimStatus.resources",
  "NodeStatus.allocatable",
  "NodeStatus.capacity",
  "PersistentVolumeClaimStatus.allocatedResources",
  "PersistentVolumeClaimStatus.capacity",
  "PersistentVolumeSpec.capacity",
  "PodSpec.overhead",
  "PodStatus.allocatedResources",
  "ResourceFieldSelector.divisor",
  "ResourceQuotaSpec.hard",
  "ResourceQuotaStatus.hard",
  "ResourceQuotaStatus.used",
  "ResourceRequirements.limits",
  "ResourceRequirements.requests",
  "VolumeResourceRequirements.limits",
  "VolumeResourceRequirements.requests",
];

/**
 * `Type.field` → markers, or `Type` → `atomic`. Words: `atomic`, `set`, `map=key,key` for lists; `map-atomic`,
 * `map-granular` for maps and structs; `patch=strategy[:mergeKey]` for strategic merge patch.
 */
export const markers: Readonly<Record<string, string>> = {
  MatchResources: "atomic",
  "MatchResources.excludeResourceRules": "atomic",
  "MatchResources.resourceRules": "atomic",
  "MutatingWebhook.admissionReviewVersions": "atomic",
  "MutatingWebhook.matchConditions": "map=name patch=merge:name",
  "MutatingWebhook.rules": "atomic",
  "MutatingWebhookConfiguration.webhooks": "map=name patch=merge:name",
  NamedRuleWithOperations: "atomic",
  "NamedRuleWithOperations.apiGroups": "atomic",
  "NamedRuleWithOperations.apiVersions": "atomic",
  "NamedRuleWithOperations.operations": "atomic",
  "NamedRuleWithOperations.resourceNames": "atomic",
  "NamedRuleWithOperations.resources": "atomic",
  ParamKind: "atomic",
  ParamRef: "atomic",
  "RuleWithOperations.apiGroups": "atomic",
  "RuleWithOperations.apiVersions": "atomic",
  "RuleWithOperations.operations": "atomic",
  "RuleWithOperations.resources": "atomic",
  "TypeChecking.expressionWarnings": "atomic",
  "ValidatingAdmissionPolicyBindingSpec.validationActions": "set",
  "ValidatingAdmissionPolicySpec.auditAnnotations": "atomic",
  "ValidatingAdmissionPolicySpec.matchConditions": "map=name patch=merge:name",
  "ValidatingAdmissionPolicySpec.validations": "atomic",
  "ValidatingAdmissionPolicySpec.variables": "map=name patch=merge:name",
  "ValidatingAdmissionPolicyStatus.conditions": "map=type",
  "ValidatingWebhook.admissionReviewVersions": "atomic",
  "ValidatingWebhook.matchConditions": "map=name patch=merge:name",
  "ValidatingWebhook.rules": "atomic",
  "ValidatingWebhookConfiguration.webhooks": "map=name patch=merge:name",
  "APIGroup.serverAddressByClientCIDRs": "atomic",
  "APIGroup.versions": "atomic",
  "APIGroupList.groups": "atomic",
  "APIResource.categories": "atomic",
  "APIResource.shortNames": "atomic",
  "APIResourceList.resources": "atomic",
  "APIVersions.serverAddressByClientCIDRs": "atomic",
  "APIVersions.versions": "atomic",
  "AggregationRule.clusterRoleSelectors": "atomic",
  "Capabilities.add": "atomic",
  "Capabilities.drop": "atomic",
  "CephFSPersistentVolumeSource.monitors": "atomic",
  "CephFSVolumeSource.monitors": "atomic",
  "CertificateSigningRequestSpec.groups": "atomic",
  "CertificateSigningRequestSpec.usages": "atomic",
  "CertificateSigningRequestStatus.conditions": "map=type",
  "ClusterRole.rules": "atomic",
  "ClusterRoleBinding.subjects": "atomic",
  "ComponentStatus.conditions": "map=type patch=merge:type",
  ConfigMapKeySelector: "atomic",
  "ConfigMapProjection.items": "atomic",
  "ConfigMapVolumeSource.items": "atomic",
  "Container.args": "atomic",
  "Container.command": "atomic",
  "Container.env": "map=name patch=merge:name",
  "Container.envFrom": "atomic",
  "Container.ports": "map=containerPort,protocol patch=merge:containerPort",
  "Container.resizePolicy": "atomic",
  "Container.restartPolicyRules": "atomic",
  "Container.volumeDevices": "map=devicePath patch=merge:devicePath",
  "Container.volumeMounts": "map=mountPath patch=merge:mountPath",
  "ContainerImage.names": "atomic",
  "ContainerRestartRuleOnExitCodes.values": "set",
  "ContainerStatus.allocatedResourcesStatus": "map=name patch=merge:name",
  "ContainerStatus.volumeMounts": "map=mountPath patch=merge:mountPath",
  "CronJobStatus.active": "atomic",
  "CustomResourceDefinitionNames.categories": "atomic",
  "CustomResourceDefinitionNames.shortNames": "atomic",
  "CustomResourceDefinitionSpec.versions": "atomic",
  "CustomResourceDefinitionStatus.conditions": "map=type",
  "CustomResourceDefinitionStatus.storedVersions": "atomic",
  "CustomResourceDefinitionVersion.additionalPrinterColumns": "atomic",
  "CustomResourceDefinitionVersion.selectableFields": "atomic",
  "DaemonSetStatus.conditions": "map=type patch=merge:type",
  "DeleteOptions.dryRun": "atomic",
  "DeploymentSpec.strategy": "patch=retainKeys",
  "DeploymentStatus.conditions": "map=type patch=merge:type",
  DiscoveryEndpointPort: "atomic",
  "DownwardAPIProjection.items": "atomic",
  "DownwardAPIVolumeSource.items": "atomic",
  "Endpoint.addresses": "set",
  EndpointAddress: "atomic",
  "EndpointHints.forNodes": "atomic",
  "EndpointHints.forZones": "atomic",
  EndpointPort: "atomic",
  "EndpointSlice.endpoints": "atomic",
  "EndpointSlice.ports": "atomic",
  "EndpointSubset.addresses": "atomic",
  "EndpointSubset.notReadyAddresses": "atomic",
  "EndpointSubset.ports": "atomic",
  "Endpoints.subsets": "atomic",
  "EphemeralContainer.args": "atomic",
  "EphemeralContainer.command": "atomic",
  "EphemeralContainer.env": "map=name patch=merge:name",
  "EphemeralContainer.envFrom": "atomic",
  "EphemeralContainer.ports": "map=containerPort,protocol patch=merge:containerPort",
  "EphemeralContainer.resizePolicy": "atomic",
  "EphemeralContainer.restartPolicyRules": "atomic",
  "EphemeralContainer.volumeDevices": "map=devicePath patch=merge:devicePath",
  "EphemeralContainer.volumeMounts": "map=mountPath patch=merge:mountPath",
  "ExecAction.command": "atomic",
  "FCVolumeSource.targetWWNs": "atomic",
  "FCVolumeSource.wwids": "atomic",
  "FieldSelectorAttributes.requirements": "atomic",
  "FieldSelectorRequirement.values": "atomic",
  FileKeySelector: "atomic",
  "HTTPGetAction.httpHeaders": "atomic",
  "HTTPIngressRuleValue.paths": "atomic",
  "HostAlias.hostnames": "atomic",
  "IPBlock.except": "atomic",
  "ISCSIPersistentVolumeSource.portals": "atomic",
  "ISCSIVolumeSource.portals": "atomic",
  "IngressLoadBalancerIngress.ports": "atomic",
  "IngressLoadBalancerStatus.ingress": "atomic",
  "IngressSpec.rules": "atomic",
  "IngressSpec.tls": "atomic",
  "IngressTLS.hosts": "atomic",
  "JSONSchemaProps.allOf": "atomic",
  "JSONSchemaProps.anyOf": "atomic",
  "JSONSchemaProps.enum": "atomic",
  "JSONSchemaProps.oneOf": "atomic",
  "JSONSchemaProps.required": "atomic",
  "JSONSchemaProps.x-kubernetes-list-map-keys": "atomic",
  "JSONSchemaProps.x-kubernetes-validations": "map=rule patch=merge:rule",
  "JobStatus.conditions": "atomic patch=merge:type",
  LabelSelector: "atomic",
  "LabelSelector.matchExpressions": "atomic",
  "LabelSelectorAttributes.requirements": "atomic",
  "LabelSelectorRequirement.values": "atomic",
  "LimitRangeSpec.limits": "atomic",
  "LinuxContainerUser.supplementalGroups": "atomic",
  "LoadBalancerIngress.ports": "atomic",
  "LoadBalancerStatus.ingress": "atomic",
  LocalObjectReference: "atomic",
  "NamespaceSpec.finalizers": "atomic",
  "NamespaceStatus.conditions": "map=type patch=merge:type",
  "NetworkPolicyEgressRule.ports": "atomic",
  "NetworkPolicyEgressRule.to": "atomic",
  "NetworkPolicyIngressRule.from": "atomic",
  "NetworkPolicyIngressRule.ports": "atomic",
  "NetworkPolicySpec.egress": "atomic",
  "NetworkPolicySpec.ingress": "atomic",
  "NetworkPolicySpec.policyTypes": "atomic",
  "NodeAffinity.preferredDuringSchedulingIgnoredDuringExecution": "atomic",
  "NodeAllocatableResourceClaimStatus.containers": "set",
  NodeSelector: "atomic",
  "NodeSelector.nodeSelectorTerms": "atomic",
  "NodeSelectorRequirement.values": "atomic",
  NodeSelectorTerm: "atomic",
  "NodeSelectorTerm.matchExpressions": "atomic",
  "NodeSelectorTerm.matchFields": "atomic",
  "NodeSpec.podCIDRs": "set patch=merge",
  "NodeSpec.taints": "atomic",
  "NodeStatus.addresses": "map=type patch=merge:type",
  "NodeStatus.conditions": "map=type patch=merge:type",
  "NodeStatus.declaredFeatures": "atomic",
  "NodeStatus.images": "atomic",
  "NodeStatus.runtimeHandlers": "atomic",
  "NodeStatus.volumesAttached": "atomic",
  "NodeStatus.volumesInUse": "atomic",
  "NonResourceRule.nonResourceURLs": "atomic",
  "NonResourceRule.verbs": "atomic",
  ObjectFieldSelector: "atomic",
  "ObjectMeta.finalizers": "set patch=merge",
  "ObjectMeta.managedFields": "atomic",
  "ObjectMeta.ownerReferences": "map=uid patch=merge:uid",
  ObjectReference: "atomic",
  OwnerReference: "atomic",
  "PersistentVolumeClaimSpec.accessModes": "atomic",
  "PersistentVolumeClaimStatus.accessModes": "atomic",
  "PersistentVolumeClaimStatus.allocatedResourceStatuses": "map-granular",
  "PersistentVolumeClaimStatus.conditions": "map=type patch=merge:type",
  "PersistentVolumeSpec.accessModes": "atomic",
  "PersistentVolumeSpec.claimRef": "map-granular",
  "PersistentVolumeSpec.mountOptions": "atomic",
  "PodAffinity.preferredDuringSchedulingIgnoredDuringExecution": "atomic",
  "PodAffinity.requiredDuringSchedulingIgnoredDuringExecution": "atomic",
  "PodAffinityTerm.matchLabelKeys": "atomic",
  "PodAffinityTerm.mismatchLabelKeys": "atomic",
  "PodAffinityTerm.namespaces": "atomic",
  "PodAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution": "atomic",
  "PodAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution": "atomic",
  "PodDNSConfig.nameservers": "atomic",
  "PodDNSConfig.options": "atomic",
  "PodDNSConfig.searches": "atomic",
  "PodDisruptionBudgetSpec.selector": "patch=replace",
  "PodDisruptionBudgetStatus.conditions": "map=type patch=merge:type",
  "PodExtendedResourceClaimStatus.requestMappings": "atomic",
  "PodFailurePolicy.rules": "atomic",
  "PodFailurePolicyOnExitCodesRequirement.values": "set",
  "PodFailurePolicyRule.onPodConditions": "atomic",
  "PodSecurityContext.supplementalGroups": "atomic",
  "PodSecurityContext.sysctls": "atomic",
  "PodSpec.containers": "map=name patch=merge:name",
  "PodSpec.ephemeralContainers": "map=name patch=merge:name",
  "PodSpec.hostAliases": "map=ip patch=merge:ip",
  "PodSpec.imagePullSecrets": "map=name patch=merge:name",
  "PodSpec.initContainers": "map=name patch=merge:name",
  "PodSpec.nodeSelector": "map-atomic",
  "PodSpec.readinessGates": "atomic",
  "PodSpec.resourceClaims": "map=name patch=merge,retainKeys:name",
  "PodSpec.schedulingGates": "map=name patch=merge:name",
  "PodSpec.tolerations": "atomic",
  "PodSpec.topologySpreadConstraints": "map=topologyKey,whenUnsatisfiable patch=merge:topologyKey",
  "PodSpec.volumes": "map=name patch=merge,retainKeys:name",
  "PodStatus.conditions": "map=type patch=merge:type",
  "PodStatus.containerStatuses": "atomic",
  "PodStatus.ephemeralContainerStatuses": "atomic",
  "PodStatus.hostIPs": "atomic patch=merge:ip",
  "PodStatus.initContainerStatuses": "atomic",
  "PodStatus.nodeAllocatableResourceClaimStatuses": "atomic",
  "PodStatus.podIPs": "map=ip patch=merge:ip",
  "PodStatus.resourceClaimStatuses": "map=name patch=merge,retainKeys:name",
  "PolicyRule.apiGroups": "atomic",
  "PolicyRule.nonResourceURLs": "atomic",
  "PolicyRule.resourceNames": "atomic",
  "PolicyRule.resources": "atomic",
  "PolicyRule.verbs": "atomic",
  "ProjectedVolumeSource.sources": "atomic",
  "RBDPersistentVolumeSource.monitors": "atomic",
  "RBDVolumeSource.monitors": "atomic",
  "ReplicaSetStatus.conditions": "map=type patch=merge:type",
  "ReplicationControllerSpec.selector": "map-atomic",
  "ReplicationControllerStatus.conditions": "map=type patch=merge:type",
  ResourceFieldSelector: "atomic",
  "ResourceQuotaSpec.scopes": "atomic",
  "ResourceRequirements.claims": "map=name",
  "ResourceRule.apiGroups": "atomic",
  "ResourceRule.resourceNames": "atomic",
  "ResourceRule.resources": "atomic",
  "ResourceRule.verbs": "atomic",
  "ResourceStatus.resources": "map=resourceID",
  "Role.rules": "atomic",
  "RoleBinding.subjects": "atomic",
  RoleRef: "atomic",
  ScopeSelector: "atomic",
  "ScopeSelector.matchExpressions": "atomic",
  "ScopedResourceSelectorRequirement.values": "atomic",
  SecretKeySelector: "atomic",
  "SecretProjection.items": "atomic",
  SecretReference: "atomic",
  "SecretVolumeSource.items": "atomic",
  "ServiceAccount.imagePullSecrets": "atomic",
  "ServiceAccount.secrets": "map=name patch=merge:name",
  ServiceBackendPort: "atomic",
  "ServiceCIDRSpec.cidrs": "atomic",
  "ServiceCIDRStatus.conditions": "map=type patch=merge:type",
  "ServiceSpec.clusterIPs": "atomic",
  "ServiceSpec.externalIPs": "atomic",
  "ServiceSpec.ipFamilies": "atomic",
  "ServiceSpec.loadBalancerSourceRanges": "atomic",
  "ServiceSpec.ports": "map=port,protocol patch=merge:port",
  "ServiceSpec.selector": "map-atomic",
  "ServiceStatus.conditions": "map=type patch=merge:type",
  "StatefulSetSpec.volumeClaimTemplates": "atomic",
  "StatefulSetStatus.conditions": "map=type patch=merge:type",
  "StatusDetails.causes": "atomic",
  "StorageClass.allowedTopologies": "atomic",
  "StorageClass.mountOptions": "atomic",
  Subject: "atomic",
  "SubjectAccessReviewSpec.groups": "atomic",
  "SubjectRulesReviewStatus.nonResourceRules": "atomic",
  "SubjectRulesReviewStatus.resourceRules": "atomic",
  "SuccessPolicy.rules": "atomic",
  "TokenRequestSpec.audiences": "atomic",
  "TokenReviewSpec.audiences": "atomic",
  "TokenReviewStatus.audiences": "atomic",
  "TopologySelectorLabelRequirement.values": "atomic",
  TopologySelectorTerm: "atomic",
  "TopologySelectorTerm.matchLabelExpressions": "atomic",
  "TopologySpreadConstraint.matchLabelKeys": "atomic",
  TypedLocalObjectReference: "atomic",
  "UncountedTerminatedPods.failed": "set",
  "UncountedTerminatedPods.succeeded": "set",
  "UserInfo.groups": "atomic",
  "WebhookConversion.conversionReviewVersions": "atomic",
};

/**
 * Structs that upstream's types hold by value, and lists without `omitempty`: Go writes them even when nothing in them is set, so nobody comes
 * to own the struct or list itself by setting its first part.
 */
export const alwaysWritten: readonly string[] = (
  "APIGroup.preferredVersion APIGroup.versions APIGroupList.groups APIResource.verbs APIResourceList.resources " +
  "APIVersions.serverAddressByClientCIDRs APIVersions.versions Binding.target CephFSPersistentVolumeSource.monitors " +
  "CephFSVolumeSource.monitors CertificateSigningRequest.spec CertificateSigningRequest.status ClusterRole.rules " +
  "ClusterRoleBinding.roleRef Container.resources ContainerImage.names ContainerStatus.lastState ContainerStatus.state " +
  "CronJob.spec CronJob.status CronJobSpec.jobTemplate DaemonSet.spec DaemonSet.status DaemonSetSpec.template " +
  "DaemonSetSpec.updateStrategy Deployment.spec Deployment.status DeploymentSpec.strategy DeploymentSpec.template " +
  "Endpoint.addresses Endpoint.conditions EndpointSlice.endpoints EndpointSlice.ports Event.involvedObject Event.source " +
  "EventsEvent.deprecatedSource EventsEvent.regarding HTTPIngressPath.backend HTTPIngressRuleValue.paths IPAddress.spec " +
  "Ingress.spec Ingress.status IngressClass.spec IngressServiceBackend.port IngressStatus.loadBalancer Job.spec Job.status " +
  "JobSpec.template JobTemplateSpec.spec Lease.spec LimitRange.spec LimitRangeSpec.limits LocalSubjectAccessReview.spec " +
  "LocalSubjectAccessReview.status MutatingWebhook.admissionReviewVersions MutatingWebhook.clientConfig Namespace.spec " +
  "Namespace.status NetworkPolicy.spec NetworkPolicySpec.podSelector Node.spec Node.status " +
  "NodeAllocatableResourceClaimStatus.resources NodeDaemonEndpoints.kubeletEndpoint NodeSelector.nodeSelectorTerms " +
  "NodeStatus.daemonEndpoints NodeStatus.nodeInfo NonResourceRule.verbs PersistentVolume.spec PersistentVolume.status " +
  "PersistentVolumeClaim.spec PersistentVolumeClaim.status PersistentVolumeClaimSpec.resources " +
  "PersistentVolumeClaimTemplate.spec Pod.spec Pod.status PodDisruptionBudget.spec PodDisruptionBudget.status " +
  "PodExtendedResourceClaimStatus.requestMappings PodFailurePolicy.rules PodFailurePolicyOnExitCodesRequirement.values " +
  "PodSpec.containers PodTemplate.template PodTemplateSpec.spec PolicyRule.verbs PreferredSchedulingTerm.preference " +
  "ProjectedVolumeSource.sources RBDPersistentVolumeSource.monitors RBDVolumeSource.monitors ReplicaSet.spec " +
  "ReplicaSet.status ReplicaSetSpec.template ReplicationController.spec ReplicationController.status ResourceQuota.spec " +
  "ResourceQuota.status ResourceRule.verbs Role.rules RoleBinding.roleRef Scale.spec Scale.status " +
  "SelfSubjectAccessReview.spec SelfSubjectAccessReview.status SelfSubjectReview.status SelfSubjectReviewStatus.userInfo " +
  "SelfSubjectRulesReview.spec SelfSubjectRulesReview.status Service.spec Service.status ServiceCIDR.spec " +
  "ServiceCIDR.status ServiceStatus.loadBalancer StatefulSet.spec StatefulSet.status StatefulSetSpec.template " +
  "StatefulSetSpec.updateStrategy SubjectAccessReview.spec SubjectAccessReview.status " +
  "SubjectRulesReviewStatus.nonResourceRules SubjectRulesReviewStatus.resourceRules SuccessPolicy.rules TokenRequest.spec " +
  "TokenRequest.status TokenRequestSpec.audiences TokenReview.spec TokenReview.status TokenReviewStatus.user " +
  "TopologySelectorLabelRequirement.values ValidatingAdmissionPolicy.spec ValidatingAdmissionPolicy.status " +
  "ValidatingAdmissionPolicyBinding.spec ValidatingWebhook.admissionReviewVersions ValidatingWebhook.clientConfig " +
  "WeightedPodAffinityTerm.podAffinityTerm"
).split(" ");
