// Checks the order of the rooms: a room imports only from rooms above it, through their doors.
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'

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
  'train',
  'reduce',
  'evaluate',
  'store',
  'serve',
  'cluster',
  'cli',
]

/** Doors beside a room's `index.ts`: what works on files stands behind one of its own, which no browser can open. */
export const sideDoors = ['base/files']

/** Packages that only one room may touch. */
const packagesOf: Record<string, string[]> = {
  runtime: ['onnxruntime-node', 'onnxruntime-common'],
  graph: ['@bufbuild/protobuf'],
  store: ['@lancedb/lancedb', 'apache-arrow'],
  models: ['@huggingface/hub'],
  embed: ['sharp', '@huggingface/tokenizers'],
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
  const present = readdirSync(join(project, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.ts$/.test(path))
    .map((path) => `src/${path.replaceAll('\\', '/')}`)
  return {
    modules,
    unread: present.filter((path) => !modules.includes(path)),
    violations: output.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, unread, violations } = await checkRooms(fileURLToPath(new URL('..', import.meta.url)))
  for (const { rule, from, to } of violations) console.error(`${rule}: ${from} → ${to}`)
  for (const path of unread) console.error(`not read: ${path}`)
  console.log(`rooms: ${modules.length} modules read, ${violations.length} violations`)
  if (modules.length === 0 || unread.length || violations.length) process.exit(1)
}
