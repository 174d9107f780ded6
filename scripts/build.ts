/** Compiles `src/` to `dist/` and puts the default image model's files beside it, so that a packed Pipilo works alone. */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
const dist = join(project, 'dist')
rmSync(dist, { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  cwd: project,
  stdio: 'inherit',
})
const main = join(dist, 'cli/main.js')
if (existsSync(main)) chmodSync(main, 0o755)

// nsfwjs cannot be a dependency of the package: its peer, TensorFlow.js, would weigh on every user's install.
for (const path of ['dist/models/mobilenet_v2', 'LICENSE', 'package.json']) {
  const target = join(dist, 'vendor/nsfwjs', path)
  cpSync(join(project, 'node_modules/nsfwjs', path), target, { recursive: true })
}
console.log('built dist/')
