/**
 * Packs the command `pipilo` with Node, ONNX Runtime's library, sharp and MobileNetV2 into a folder that runs on another Linux machine of
 * x64 with nothing else, and that as a .tar.xz.
 *
 *     npx tsx train/pack.ts OUT      # in bench/; then, on the other machine: tar xf OUT.tar.xz && cd OUT && ./node cli/main.js train …
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const PLATFORM = ['linux', 'x64'] as const
if (`${process.platform}/${process.arch}` !== PLATFORM.join('/')) {
  throw new Error(`The pack holds this machine's Node, and is for ${PLATFORM.join('/')}.`)
}
const out = resolve(process.argv[2] ?? 'pipilo-train')
const modules = here('../../node_modules')

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
await bundle(
  { main: here('../../src/cli/main.ts'), worker: here('../../src/runtime/node/worker.ts') },
  // As deep as in the package: its package.json is looked for two folders above.
  join(out, 'dist/cli'),
  {
    external: ['nsfwjs'],
    banner: {
      // Packages of the older kind ask for Node's parts by `require`.
      js: "import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url);",
    },
  },
)
const { version } = JSON.parse(readFileSync(here('../../package.json'), 'utf8'))
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({ name: 'pipilo', version, type: 'module', private: true })}\n`,
)
mkdirSync(join(out, 'cli'))
writeFileSync(join(out, 'cli/main.js'), "import '../dist/cli/main.js'\n")

/** Copies parts of a package; without parts, all of it. */
function copy(name: string, parts: readonly string[] = readdirSync(join(modules, name))): void {
  for (const part of parts) {
    cpSync(join(modules, name, part), join(out, 'node_modules', name, part), {
      recursive: true,
      dereference: true,
      filter: (path) => !/\.(map|d\.[cm]?ts)$/.test(path),
    })
  }
}
copy('onnxruntime-node', ['package.json', 'dist', `bin/napi-v6/${PLATFORM.join('/')}`])
copy('onnxruntime-common', ['package.json', 'dist'])
for (const name of ['sharp', ...needs('sharp')]) copy(name)
const platform = PLATFORM.join('-')
copy(`@img/sharp-${platform}`)
copy(`@img/sharp-libvips-${platform}`)
copy('nsfwjs', ['package.json', 'dist/models/mobilenet_v2'])
cpSync(process.execPath, join(out, 'node'))

execFileSync('tar', ['cJf', `${out}.tar.xz`, '-C', dirname(out), basename(out)], {
  env: { ...process.env, XZ_OPT: '-T2 -3' },
})
console.log(`${out}.tar.xz: ${(statSync(`${out}.tar.xz`).size / 1e6).toFixed(1)} MB for ${platform}`)

/** All that a package depends on, and that on. */
function needs(name: string): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'))
  return Object.keys(dependencies).flatMap((each) => [each, ...needs(each)])
}
