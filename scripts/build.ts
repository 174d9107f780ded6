/**
 * Compiles `src/` to `dist/`: types by TypeScript, and each room into a few files by esbuild, as loading one module takes
 * Node a third of a millisecond. Then puts the default image model's files beside it, so that a packed Pipilo works alone.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, rmSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const project = fileURLToPath(new URL('..', import.meta.url))
const [src, dist] = [join(project, 'src'), join(project, 'dist')]

/** What a room imports from another one stays an import of that room's door. */
const doors = (room: string): Plugin => ({
  name: 'doors',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const [other = '', ...rest] = relative(src, join(resolveDir, path)).split(sep)
      if (other === room || rest.length === 0) return undefined
      const up = room === '' ? './' : '../'
      return { path: up + [other, ...rest].join('/').replace(/\.ts$/, '.js'), external: true }
    })
  },
})

/** One room, or the package's own door; what it imports on demand becomes a file of its own. */
async function bundle(room: string, entries: readonly string[]): Promise<void> {
  await build({
    entryPoints: entries.map((entry) => join(src, room, entry)),
    outdir: join(dist, room),
    plugins: [doors(room)],
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    sourcesContent: false,
  })
}

rmSync(dist, { recursive: true, force: true })
const types = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']
execFileSync(process.execPath, types, { cwd: project, stdio: 'inherit' })
const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory())
/** Besides a room's door: what starts on its own. */
const more: Record<string, string[]> = { runtime: ['worker.ts'], cli: ['main.ts'] }
await bundle('', ['index.ts'])
for (const { name } of rooms) await bundle(name, ['index.ts', ...(more[name] ?? [])])
chmodSync(join(dist, 'cli/main.js'), 0o755)

// nsfwjs cannot be a dependency of the package: its peer, TensorFlow.js, would weigh on every user's install.
for (const path of ['dist/models/mobilenet_v2', 'LICENSE', 'package.json']) {
  const target = join(dist, 'vendor/nsfwjs', path)
  cpSync(join(project, 'node_modules/nsfwjs', path), target, { recursive: true })
}
console.log('built dist/')
