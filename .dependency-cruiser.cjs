/** Import rules. The prose version is in ARCHITECTURE.md, "What may import what". */

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    rule('no-circular', 'a cycle has no reading order', {}, { circular: true }),
    rule('no-unresolvable', 'a typo, or a package not installed', {}, { couldNotResolve: true }),
    rule('nothing-imports-tests', '', { pathNot: '^test/' }, { path: '^test/' }),
    rule(
      'nothing-imports-generators',
      'fixtures are made by generators, the product never is',
      { pathNot: '^(fixtures/generate|test)/' },
      { path: '^fixtures/generate/' },
    ),
    rule('nothing-imports-cli', '', { pathNot: '^(cli|test)/' }, { path: '^cli/' }),
    rule(
      'core-is-pure',
      'no I/O, clock, randomness or Node: it runs in a browser',
      { path: '^core/' },
      { pathNot: ['^core/', '@noble/', 'node_modules/cbor-x/'] },
    ),
    rule(
      'cbor-in-one-place',
      'cbor-x is unsafe except behind the strict codec',
      { pathNot: ['^core/cbor[.]ts$', '^test/'] },
      { path: 'node_modules/cbor-x/' },
    ),
    rule(
      'verifier-imports-only-core',
      'its page also draws plots',
      { path: '^verifier/' },
      { pathNot: ['^core/', '^verifier/', 'node_modules/uplot/'] },
    ),
    rule(
      'verifier-does-not-know-its-page',
      'the command line uses it without one',
      { path: '^verifier/', pathNot: '^verifier/page/' },
      { path: '^verifier/page/|node_modules/uplot/' },
    ),
    rule(
      'browser-never-reaches-node',
      'not even through others',
      { path: '^(verifier|core)/' },
      {
        reachable: true,
        path: '^(node:)?(assert|buffer|child_process|crypto|dgram|dns|events|fs|http|https|module|net|os|path|perf_hooks|process|stream|timers|tls|url|util|v8|vm|worker_threads|zlib)(/|$)',
      },
    ),
    rule(
      'stages-do-not-know-each-other',
      'main.ts passes ports and values between them',
      { path: '^(agent|anchor-service|owner)/([^/]+)/' },
      { path: '^$1/[^/]+/', pathNot: '^$1/$2/' },
    ),
    rule(
      'stages-do-not-import-hardware',
      'main.ts hands them a port',
      { path: '^(agent|anchor-service|owner)/[^/]+/' },
      { path: '^hw/' },
    ),
    rule(
      'only-roots-import-hardware',
      'the composition roots choose the adapters',
      { pathNot: ['^(agent|anchor-service|owner)/main[.]ts$', '^(cli|hw|test)/'] },
      { path: '^hw/' },
    ),
    rule(
      'agent-service-verifier-are-strangers',
      'what they share is in core/ and in spec/',
      { path: '^(agent|anchor-service|owner|verifier)/' },
      { path: '^(agent|anchor-service|owner|verifier)/', pathNot: '^$1/' },
    ),
    rule(
      'monitor-imports-only-core',
      'who checks a service shares nothing with it but the formats',
      { path: '^monitor/' },
      {
        pathNot: ['^core/', '^monitor/', 'node_modules/(better-sqlite3|smol-toml)/'],
        dependencyTypesNot: ['core'],
      },
    ),
    rule(
      'parts-do-not-import-the-monitor',
      '',
      { path: '^(agent|anchor-service|core|hw|owner|verifier)/' },
      { path: '^monitor/' },
    ),
    rule(
      'hw-sees-only-ports-and-core',
      'an adapter knows the edge it fits, nothing behind it',
      { path: '^hw/' },
      {
        path: '^[^/]+/',
        pathNot: ['^hw/', '^core/', '^(agent|anchor-service)/ports[.]ts$', 'node_modules/'],
        dependencyTypesNot: ['core'],
      },
    ),
    rule(
      'cli-imports-parts-only',
      'agent, anchor-service, verifier, core, hw',
      { path: '^cli/' },
      { path: '^(bootstrap|contracts|fixtures)/' },
    ),
    rule(
      'sqlite-in-one-place',
      '',
      {
        pathNot: ['^agent/spool/', '^anchor-service/store/', '^monitor/seen-store[.]ts$', '^test/'],
      },
      { path: 'node_modules/better-sqlite3/' },
    ),
    rule(
      'mqtt-in-one-place',
      '',
      { pathNot: ['^agent/uplink/mqtt-[^/]+[.]ts$', '^anchor-service/intake/', '^test/'] },
      { path: 'node_modules/(mqtt|aedes|nats)/' },
    ),
    rule(
      'ethers-in-one-place',
      '',
      { pathNot: ['^(anchor-service|owner)/chain/', '^test/'] },
      { path: 'node_modules/ethers/' },
    ),
    rule(
      'native-drivers-in-hw',
      'CAN sockets and libsecp256k1 are adapters',
      { pathNot: ['^hw/', '^test/'] },
      { path: 'node_modules/(socketcan|secp256k1)/' },
    ),
    rule(
      'no-dev-dependency-in-the-product',
      'a release has no development packages',
      { path: '^(agent|anchor-service|cli|core|hw|monitor|owner|verifier)/' },
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        // What the page needs is in the page.
        pathNot: 'node_modules/(@types|uplot)/',
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|demo-out|contracts/(out|cache))/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
