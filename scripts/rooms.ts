// Checks the order of the rooms: a room imports only from rooms above it, through their doors.
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import ts from 'typescript'

/** The rooms of the house, top to bottom: a room imports only from rooms above it. */
export const rooms = [
  'base',
  'tensor',
  'graph',
  'runtime',
  'grad',
  'nn',
  'models',
  'embed',
  'pipeline',
  'reduce',
  'train',
  'evaluate',
  'atlas',
  'store',
  'serve',
  'cluster',
  'cli',
]

/** Doors beside a room's `index.ts`: what works on files stands behind one of its own, which no browser can open. */
export const sideDoors = ['base/files', 'tensor/files', 'graph/files', 'atlas/page']

/**
 * The parts that a browser will need, as modules and folders of `src/`: whatever these reach at run time, also on demand, is neither
 * Node's nor native.
 */
export const nodeFree = [
  'base/index.ts',
  'tensor/index.ts',
  'graph/index.ts',
  'nn/',
  'models/cards/',
  'models/tokenizers/',
  'models/formats/',
  'models/layouts/',
  'embed/batching/',
  'embed/prompt.ts',
  'embed/recipe/',
  'embed/text/steps/index.ts',
  'embed/text/chunk.ts',
  'embed/text/text.ts',
  'embed/text/tokenizer.ts',
  'atlas/page/',
]

/** Packages that run in a browser. */
const browserPackages = ['@bufbuild/protobuf', 'onnxruntime-common']

/** Globals that only Node has. */
const nodeGlobals = new Set(['Buffer', 'process', 'require', '__dirname', '__filename'])

/** Packages that only one room may touch. */
const packagesOf: Record<string, string[]> = {
  runtime: ['onnxruntime-node', 'onnxruntime-common'],
  graph: ['@bufbuild/protobuf'],
  store: ['@lancedb/lancedb', 'apache-arrow'],
  models: ['@huggingface/hub'],
  embed: ['sharp', '@lezer/[^/]+', 'htmlparser2', 'hyparquet', 'pdfjs-dist', 'mammoth'],
  reduce: ['ml-matrix'],
  serve: ['hono', '@hono/node-server', 'zod', '@opentelemetry/api'],
  cli: ['citty', 'hyparquet-writer'],
}

const tests = '(\\.test(-d)?\\.ts$|/testing/|/testdata/)'
const doors = ['^src/[^/]+/index\\.ts$', `^src/(${sideDoors.join('|')})/index\\.ts$`]
const inRooms = (names: string[]) => `^src/(${names.join('|')})/`

const rules: IForbiddenRuleType[] = [
  ...rooms.map((room, place) => ({
    name: `${room}-looks-down`,
    severity: 'error' as const,
    from: { path: inRooms([room]) },
    to: { path: place + 1 < rooms.length ? `${inRooms(rooms.slice(place + 1))}|^src/index\\.ts$` : '^$' },
  })),
  {
    name: 'one-door',
    severity: 'error',
    from: { path: '^src/([^/]+)/', pathNot: tests },
    to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', ...doors] },
  },
  {
    name: 'one-door-from-outside',
    severity: 'error',
    from: { path: '^src/[^/]+\\.ts$' },
    to: { path: '^src/[^/]+/', pathNot: doors },
  },
  { name: 'no-circle', severity: 'error', from: { pathNot: tests }, to: { circular: true } },
  {
    name: 'tests-stay-outside',
    severity: 'error',
    from: { path: '^src/', pathNot: tests },
    to: { path: `^src/.*${tests}` },
  },
  ...Object.entries(packagesOf).map(([room, packages]) => ({
    name: `only-${room}`,
    severity: 'error' as const,
    from: { path: '^src/', pathNot: [inRooms([room]), tests] },
    to: { path: packages.map((name) => `node_modules/${name}/`) },
  })),
]

export interface RoomsReport {
  /** Modules of `src/` that were read, relative to the project. */
  modules: string[]
  /** Modules of `src/` that stand in its folders but were not read: the check is worth nothing for them. */
  unread: string[]
  violations: { rule: string; from: string; to: string }[]
}

/** Reads every import under `<project>/src` and reports those that break the order of the rooms. */
export async function checkRooms(project: string): Promise<RoomsReport> {
  const config = fileURLToPath(new URL('../tsconfig.json', import.meta.url))
  const result = await cruise(
    ['src'],
    {
      baseDir: resolve(project),
      ruleSet: { forbidden: rules },
      validate: true,
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
      tsConfig: { fileName: config },
    },
    {
      extensions: ['.ts', '.js', '.json'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
    { tsConfig: extractTSConfig(config) },
  )
  const output = result.output as ICruiseResult
  const modules = output.modules.map((module) => module.source).filter((source) => source.startsWith('src/'))
  const present = modulesOf(project)
  return {
    modules,
    unread: present.filter((path) => !modules.includes(path)),
    violations: [
      ...output.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
      ...checkNodeFree(project),
    ],
  }
}

/** The modules that stand in `src/`. */
const modulesOf = (project: string): string[] =>
  readdirSync(join(project, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.ts$/.test(path))
    .map((path) => `src/${path.replaceAll('\\', '/')}`)

/** The shortest ways from what a browser will need to what it does not have. */
export function checkNodeFree(project: string): RoomsReport['violations'] {
  const modules = modulesOf(project)
  const present = new Set(modules)
  const isTest = new RegExp(tests)
  const violations: RoomsReport['violations'] = []
  const read = new Map<string, Running>()
  for (const place of nodeFree) {
    const own = modules.filter((module) => module.startsWith(`src/${place}`) && !isTest.test(module))
    if (own.length === 0) violations.push({ rule: 'node-free', from: `src/${place}`, to: 'nothing is there' })
    const ways = new Map(own.map((module) => [module, [module]]))
    for (const [module, way] of ways) {
      const running = read.get(module) ?? runningParts(join(project, module))
      read.set(module, running)
      const strange = [...running.globals].map((name) => `the global ${name}`)
      for (const name of running.imports) {
        if (!name.startsWith('.')) {
          if (!browserPackages.some((known) => name === known || name.startsWith(`${known}/`)))
            strange.push(name)
          continue
        }
        const next = posix.join(posix.dirname(module), name)
        if (!present.has(next)) strange.push(`${next}, which is not there`)
        else if (!ways.has(next)) ways.set(next, [...way, next])
      }
      for (const what of strange) {
        violations.push({ rule: 'node-free', from: way[0]!, to: [...way.slice(1), what].join(' → ') })
      }
    }
  }
  return violations
}

/** Imports and globals of a module at run time. */
interface Running {
  /** Its imports, on demand too; types that are imported vanish before. */
  readonly imports: ReadonlySet<string>
  /** Node's globals that it names. */
  readonly globals: ReadonlySet<string>
}

function runningParts(path: string): Running {
  const imports = new Set<string>()
  const globals = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      if (node.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword) add(node.moduleSpecifier)
    } else if (ts.isExportDeclaration(node)) {
      if (!node.isTypeOnly && node.moduleSpecifier) add(node.moduleSpecifier)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      if (node.arguments[0]) add(node.arguments[0])
    } else if (ts.isIdentifier(node) && nodeGlobals.has(node.text)) {
      // Behind a dot, or before a colon, it is only a name.
      if (!('name' in node.parent && node.parent.name === node)) globals.add(node.text)
    }
    ts.forEachChild(node, visit)
  }
  const add = (specifier: ts.Expression) =>
    imports.add(ts.isStringLiteralLike(specifier) ? specifier.text : '?')
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2023, true))
  return { imports, globals }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, unread, violations } = await checkRooms(fileURLToPath(new URL('..', import.meta.url)))
  for (const { rule, from, to } of violations) console.error(`${rule}: ${from} → ${to}`)
  for (const path of unread) console.error(`not read: ${path}`)
  console.log(`rooms: ${modules.length} modules read, ${violations.length} violations`)
  if (modules.length === 0 || unread.length || violations.length) process.exit(1)
}
