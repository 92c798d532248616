/**
 * Windows' Host Compute Network objects, schema version 2, as far as a proxy makes them (github.com/Microsoft/hcsshim/hcn:
 * `HostComputeLoadBalancer`, `HostComputeEndpoint`). Names and numbers are that API's.
 */

export interface HcnSchemaVersion {
  readonly Major: 2;
  readonly Minor: 0;
}

export const hcnSchema: HcnSchemaVersion = { Major: 2, Minor: 0 };

export interface HcnLoadBalancer {
  /** HNS takes the ids of endpoints; here they are named by address, and who applies this puts in the ids that HNS gave them. */
  readonly HostComputeEndpoints: readonly string[];
  /** The address from which this node masquerades. */
  readonly SourceVIP?: string;
  /** None: every address of the node (a NodePort). */
  readonly FrontendVIPs?: readonly string[];
  readonly PortMappings: readonly HcnPortMapping[];
  readonly SchemaVersion: HcnSchemaVersion;
  readonly Flags?: number;
}

export interface HcnPortMapping {
  /** 6, 17 or 132. */
  readonly Protocol: number;
  /** Of the endpoints: one for all. */
  readonly InternalPort: number;
  readonly ExternalPort: number;
  readonly DistributionType?: number;
  readonly Flags?: number;
}

/** A pod elsewhere, which HNS must know before a policy may name it. Those of this node are there already, made by the CNI plugin. */
export interface HcnEndpoint {
  readonly Name: string;
  readonly IpConfigurations: readonly { readonly IpAddress: string; readonly PrefixLength: number }[];
  readonly Flags: number;
  readonly SchemaVersion: HcnSchemaVersion;
}

export const loadBalancerFlags = { directServerReturn: 1, ipv6: 2 } as const;
export const portMappingFlags = { localRoutedVip: 2, vipExternalIp: 16 } as const;
export const distribution = { sourceIp: 2 } as const;
export const endpointFlags = { remote: 1 } as const;
export const protocolNumbers = { TCP: 6, UDP: 17, SCTP: 132 } as const;
