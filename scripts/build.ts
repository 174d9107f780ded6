/**
 * Compiles `src/` to `dist/`: types by TypeScript, and each room into a few files by esbuild, as loading one module takes
 * Node a third of a millisecond. Then puts the default image model's files beside it, so that a packed Pipilo works alone.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { bundleWeb, webSources } from '../src/base/files/index.ts'
import { sideDoors } from './rooms.ts'

const project = fileURLToPath(new URL('..', import.meta.url))
const [src, dist] = [join(project, 'src'), join(project, 'dist')]

/** Imports from another room stay imports of that room's door: `files/index.ts` is built as `files.js`. */
const doors = (room: string): Plugin => ({
  name: 'doors',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const [other = '', ...rest] = relative(src, join(resolveDir, path)).split(sep)
      if (other === room || rest.length === 0) return undefined
      const up = room === '' ? './' : '../'
      return { path: `${up}${other}/${outputOf(rest.join('/'))}.js`, external: true }
    })
  },
})

/** A door or a thread's start lies directly in the room's folder, so that its imports of other rooms are all alike. */
const outputOf = (entry: string): string =>
  entry.endsWith('/index.ts') ? entry.slice(0, -'/index.ts'.length) : basename(entry, '.ts')

const options = {
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  sourcesContent: false,
} satisfies BuildOptions

/** One room, or the package's own door; what it imports on demand becomes a file of its own. */
async function bundle(room: string, entries: readonly string[]): Promise<void> {
  await build({
    entryPoints: entries.map((entry) => ({ in: join(src, room, entry), out: outputOf(entry) })),
    outdir: join(dist, room),
    plugins: [doors(room)],
    splitting: true,
    ...options,
  })
}

/** The door that the package shows of a room: names of the room's own doors, so that it splits no file of theirs. */
async function bundlePublic(room: string): Promise<void> {
  const ownDoors: Plugin = {
    name: 'own-doors',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path }) => {
        const external = path.endsWith('/files/index.ts') ? './files.js' : './index.js'
        return { path: external, external: true }
      })
    },
  }
  const entryPoints = [join(src, room, 'public.ts')]
  await build({ ...options, entryPoints, outdir: join(dist, room), plugins: [ownDoors] })
}

rmSync(dist, { recursive: true, force: true })
const types = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']
execFileSync(process.execPath, types, { cwd: project, stdio: 'inherit' })
const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory())
/** Entries besides a room's door: what starts on its own, and doors to what touches files. */
const more: Record<string, string[]> = { cli: ['main.ts'] }
/** Files that threads and child processes start on. */
const started: Record<string, string[]> = {
  runtime: ['node/worker.ts', 'node/child.ts'],
  embed: ['pictures/decodingChild.ts'],
}
for (const [room = '', ...wing] of sideDoors.map((door) => door.split('/'))) {
  more[room] = [...(more[room] ?? []), `${wing.join('/')}/index.ts`]
}
await bundle('', ['index.ts'])
for (const { name } of rooms) {
  await bundle(name, ['index.ts', ...(more[name] ?? [])])
  // Apart from the door, which would otherwise lie in pieces that both share: a thread or process starts on one file.
  for (const entry of started[name] ?? []) await bundle(name, [entry])
  if (existsSync(join(src, name, 'public.ts'))) await bundlePublic(name)
}
chmodSync(join(dist, 'cli/main.js'), 0o755)

// The pages: the atlas, which every map carries, and the one of search, which the server gives.
for (const page of Object.keys(webSources) as (keyof typeof webSources)[]) {
  const folder = join(dist, 'web', page)
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of await bundleWeb(page)) writeFileSync(join(folder, name), text)
}

// nsfwjs cannot be a dependency of the package: its peer, TensorFlow.js, would weigh on every user's install.
for (const path of ['dist/models/mobilenet_v2', 'LICENSE', 'package.json']) {
  const target = join(dist, 'vendor/nsfwjs', path)
  cpSync(join(project, 'node_modules/nsfwjs', path), target, { recursive: true })
}
console.log('built dist/')
