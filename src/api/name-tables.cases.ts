/** The rules of names by the test of upstream's that holds their table. */
import * as names from "./names.ts";

export const nameTables: Readonly<Record<string, (text: string) => readonly string[]>> = {
  TestIsDNS1123Label: names.dns1123Label,
  TestIsDNS1123Subdomain: names.dns1123Subdomain,
  TestIsDNS1035Label: names.dns1035Label,
  TestIsValidPortName: names.portName,
  TestIsQualifiedName: names.qualifiedName,
  TestIsValidLabelValue: names.labelValue,
  TestIsHTTPHeaderName: names.httpHeaderName,
  TestIsValidPercent: names.percent,
  TestIsConfigMapKey: names.configMapKey,
  TestIsWildcardDNS1123Subdomain: names.wildcardDns1123Subdomain,
  TestIsFullyQualifiedDomainName: names.fullyQualifiedDomainName,
  TestIsFullyQualifiedName: names.fullyQualifiedName,
  TestIsDomainPrefixedPath: names.domainPrefixedPath,
  TestIsRelaxedEnvVarName: names.relaxedEnvVarName,
};
