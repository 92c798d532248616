/** Which of CoreDNS's suites are asked elsewhere, which are what others speak of, and which cannot be asked, in upstream's words. */
const named = (value: string, keys: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(keys.map((key) => [key, value]));

/** The test that asks each of their rows. */
export const elsewhere: Readonly<Record<string, string>> = {
  ...named("src/dns/plugins/cases.test.ts", [
    ...["file - dnssecTestCases", "file - dsTestCases", "file - entTestCases", "file - dnsTestCases", "file - additionalTestCases"],
    ...["file - svcbTestCases", "file - wildcardTestCases", "file - wildcardDoubleTestCases", "file - apexWildcardTestCases"],
    ...["file - multiWildcardTestCases", "file - closerENTWildcardTestCases", "file - emptyNonTerminalWildcardTestCases"],
    ...["file - wildcardAdditionalTestCases", "file - dnameTestCases", "file - dnameDnssecTestCases", "file - atoomTestCases"],
    ...["rewrite TestRewriteNamePrefixSuffix tests", "rewrite TestRewriteNameNoRewrite tests"],
    ...["rewrite TestRewriteNamePrefixSuffixNoAutoAnswer tests", "rewrite TestRewriteNamePrefixSuffixAutoAnswer tests"],
    ...["rewrite TestRewriteNameExactAnswer tests", "rewrite TestRewriteNameRegexAnswer tests", "rewrite TestNewNameRule tests"],
    ...["rewrite TestNewRCodeRule tests", "rewrite TestNewRule tests", "rewrite TestNewTTLRule tests"],
    ...["template TestExpr tests", "template TestVar tests", "dns64 TestDNS64 cases", "acl TestACLServeDNS tests", "local - testcases"],
  ]),
  ...named("src/dns/corefile/cases.test.ts", [
    ...["pkg/cidr - tests", "pkg/parse TestTransport range", "plugin (common) TestHostNormalizeExact tests"],
    "plugin (common) TestOriginsFromArgsOrServerBlock tests",
  ]),
};

/** No cases, but what cases speak of: keys, zones, rules, other sections. */
export const material: Readonly<Record<string, string>> = named("what other tables speak of", [
  ...["file - miekAuth", "file - auth", "file - dnssexAuth", "file - exampleAuth", "file TestZoneReloadByMtime expectedNS"],
  ...["etcd - services", "etcd - servicesCname", "etcd - servicesGroup", "etcd - servicesMulti", "etcd - servicesOther"],
  ...["etcd TestMultiLookup etc.Zones", "integration test/ - servicesStub", "auto - dbFiles", "autopath newTestAutoPath ap.search"],
  ...["loadbalance - testWeighted", "loadbalance TestLoadBalanceXFR answer", "loadbalance TestSortPreferred records"],
  ...["loadbalance TestSortPreferred cidrs", "minimal TestMinimizeResponse baseNs", "minimal TestMinimizeResponse baseExtra"],
  ...["rewrite Lookup m.Answer", "rewrite TestCNameTargetRewrite ruleset", "rewrite TestTtlRewrite ruleset"],
  ...["rewrite TestEdns0LocalSetRevertRestoresPreexisting original", "rewrite TestRewriteEDNS0LocalVariable expectedMetadata"],
  ...[
    "metadata TestMetadataServeDNS expectedMetadata",
    "cache TestFilterRRSlice rrs",
    "core/dnsserver Example_embedding dnsserver.Directives",
  ],
  ...[
    "secondary catalogZoneRecords return",
    "secondary catalogZoneRecordsForMembers rrs",
    "secondary catalogZoneRecordsWithoutMembers return",
  ],
  ...["secondary memberZoneRecordsFor return", "forward TestExpandAndDedup entries", "forward TestExpandAndDedupOrderPreserved entries"],
  ...["forward TestExpandAndDedupTLS entries", "forward TestSetupMixedIPAndHostnameTO f.toEntries", "forward TestList expect"],
  ...["plugin (common) TestAAAAWithInternalCNAMEChain names", "core/dnsserver TestDoQWriterAddPrefix byteArray"],
]);

const functions = (call: string): string => `a Go function by itself, no query and no Corefile: \`${call}\``;
const refused = (directive: string): string => `'${directive}' is refused by name, with what to use in its place`;

export const outOfScope: Readonly<Record<string, string>> = {
  "file TestSignedAliasToDelegation tests": 'the expected sections are Go values: `"ref": "referral.Ns"`',
  "file TestClosestEncloser tests": functions("z.ClosestEncloser(tc.in)"),
  "file TestCanonicalEscape cases": functions("canonicalEscape(tc.in)"),
  "file TestReplaceWithAsteriskLabel tests": functions("replaceWithAsteriskLabel(tc.in)"),
  "hosts TestReplaceWithAsteriskLabel tests": functions("replaceWithAsteriskLabel(tc.in)"),
  "file TestNameFromRight tests": functions("z.nameFromRight(tc.in, tc.labels)"),
  "file TestTransferInDoesNotMergeRecordsFromFailedPrimary z.TransferFrom": 'a Go value: `"ref": "malicious.Addr"`',
  "auto TestAutoServeDNSZoneMatching tests":
    "zones put together by hand: `Zones{Z: make(map[string]*file.Zone), origins: tt.origins, names: tt.names}`",
  "auto TestRewriteToExpand tests": functions("rewriteToExpand(tc.in)"),
  "auto TestWalkWarnsForDuplicateOrigin range": "paths that Go puts together: `filepath.Join(dir, …)`",
  "auto TestWalkKeepsFirstMatchingFileForOrigin range": "paths that Go puts together: `filepath.Join(dir, …)`",
  "auto TestAutoTransferZoneCase tests": "errors of the Go method `a.Transfer(tt.zone, 1234)`",
  "auto TestZonesNames tests": functions("z.Names()"),
  "auto TestZonesOrigins tests": functions("z.Origins()"),
  "auto TestZonesZones tests": functions("z.Zones(tt.zoneName)"),
  "cache TestPreferPositiveRetainsLKGAcrossNonAnswerSuccessRefreshes refreshes": 'what is refreshed is "(call omitted)"',
  "cache TestPreferPositiveVerifyKeepsStaleOnNonAnswers tests": 'what upstream says is "(function omitted)"',
  "cache TestServeFromStaleCacheFetchVerifyTimeoutUncacheableResponse range": 'a Go value: `"ref": "rec.Msg.Answer"`',
  "forward TestForward_Regression_NoBusyLoop tests": "a proxy of Go that counts: `counter atomic.Int32`",
  "forward TestForward_DefaultConnectAttemptCap range": "a number of proxies of Go: `range []int{…}`",
  "forward TestExpandAndDedup expected": functions("expandAndDedup(entries, lookup)"),
  "forward TestExpandAndDedupTLS expected": functions("expandAndDedup(entries, lookup)"),
  "errors TestLogPattern tests": 'a Go function: `"ref": "log.Errorf"`',
  "metrics TestMetricsTLS tests": "files of upstream's folder: `test_data/configs/…`",
  "metrics TestMetrics tests": "the next plugin is a Go value: `test.NextHandler(dns.RcodeSuccess, nil)`",
  "pprof TestHandlerPprofEndpoints testCases": "asks `/debug/pprof/symbol`, which is of compiled Go: addresses of functions",
  "log TestLoggedClassNameErrorWithoutSOA tests": 'a Go value: `"ref": "response.Error"`',
  "autopath TestInSearchPath tests": functions("firstInSearchPath(tc.qname, a.search)"),
  "etcd TestTTL tests": functions("e.TTL(kv, serv)"),
  "secondary TestTransferInCatalogRejectsUncoordinatedMigration tests": "a fixture of Go: `newCatalogMigrationFixture(t, …)`",
  "loop TestParseServerBlockKeys tests": functions("parseServerBlockKey(tt.key)"),
  "kubernetes TestBoundIPs tests": functions("boundIPs(c)"),
  "acl TestNormalize tests": functions("normalize(tt.args.rawNet)"),
  "tls TestTLSClientAuthentication tests": 'a Go value: `"ref": "tls.RequireAndVerifyClientCert"`',
  "trace TestParseServiceEndpoint tests": refused("trace"),
  "pkg/dnsutil TestDuplicateCNAME tests": functions("DuplicateCNAME(cname, records)"),
  "pkg/dnsutil TestJoin tests": functions("Join(tc.in...)"),
  "pkg/durations TestNewDurationFromArg tests": functions("NewDurationFromArg(test.arg)"),
  "pkg/proxy TestCleanupAll tr.conns[typeUDP]": 'Go values: `"ref": "c1"`',
  "pkg/proxy TestProtocolSelection testCases": "a proxy of Go: `p.Connect(…, tc.opts)`",
  "pkg/proxy TestProxyIncrementFails testCases": "a counter of Go: `math.MaxUint32`",
  "pkg/proxy TestShouldTruncateResponse testCases": "errors of Go: `dns.ErrAlg`",
  "pkg/rand TestNew tests": functions("New(tt.seed)"),
  "pkg/rand TestPerm tests": functions("r.Perm(tt.n)"),
  "pkg/replacer TestParseFormatNodes formats": functions("parseFormat(format)"),
  "pkg/replacer TestMetadataReplacement tests": "labels of a plugin that only upstream's test has: `testProvider`",
  "pkg/replacer TestMetadataMalformed tests": "labels of a plugin that only upstream's test has: `testProvider`",
  "core/dnsserver TestSplitProtocolHostPort range": functions("SplitProtocolHostPort(test.input)"),
  "core/dnsserver TestAddPluginToAllServerBlocks ctx.configs": 'Go values: `"firstConfigInBlock"`',
  "core/dnsserver TestDoHWriter_LocalAddr tests": functions("d.LocalAddr()"),
  "core/dnsserver TestDoHWriter_Write tests": functions("d.Write(tt.input)"),
  "core/dnsserver TestRegex1035PrefSyntax testCases":
    "the text of the start: `startUpZones creates the text that we show when starting up`",
  "core/dnsserver TestStartUpZones tests": "the text of the start: `startUpZones creates the text that we show when starting up`",
  "core/dnsserver TestNewServergRPC tests": functions("NewServergRPC(tt.addr, tt.configs)"),
  "core/dnsserver TestServergRPC_Query_ErrorCases tests": "contexts of Go: `peer.NewContext(…)`",
  "integration test/ TestLookupAutoPathErratic tests": "its Corefile's upstream is a server of the Go test: `dnstest.NewServer`",
  "integration test/ TestMultisocket tests": "servers of Go: `len(s.Servers())`",
  "integration test/ TestMultisocket_Restart tests": "servers of Go: `len(s.Servers())`",
  "integration test/ TestMultisocket_WhoAmI range": 'Go values: `"ref": "udpResp"`',
  ...named(refused("quic"), [
    ...["core/dnsserver TestNewServerQUIC tests", "core/dnsserver TestServerQUIC_IsExpectedErr tests"],
    ...["core/dnsserver TestValidRequest tests", "core/dnsserver TestReadDOQMessage tests", "core/dnsserver TestAddPrefix tests"],
  ]),
};
