/**
 * Packs measure.ts with ONNX Runtime's library of one platform into a folder that needs nothing but Node, and that as a .tgz.
 *
 *     npx tsx devices/pack.ts OUT [linux/x64]     # in bench/; then, on the other machine: tar xf OUT.tgz && node OUT/measure.js
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'

const MOST = 60e6
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const [folder = 'pipilo-devices', platform = `${process.platform}/${process.arch}`] = process.argv.slice(2)
const out = resolve(folder)

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
await bundle(
  {
    measure: here('measure.ts'),
    training: here('training.ts'),
    worker: here('../../src/runtime/node/worker.ts'),
  },
  out,
)
cpSync(here('peer.py'), join(out, 'peer.py'))
writeFileSync(join(out, 'package.json'), `${JSON.stringify({ type: 'module', private: true })}\n`)
for (const name of ['onnxruntime-node', 'onnxruntime-common']) {
  const from = here(`../../node_modules/${name}`)
  const to = join(out, 'node_modules', name)
  for (const part of ['package.json', 'dist', 'LICENSE']) {
    if (readdirSync(from).includes(part))
      cpSync(join(from, part), join(to, part), {
        recursive: true,
        filter: (path) => !/\.(map|d\.ts)$|\/esm$/.test(path),
      })
  }
  if (name === 'onnxruntime-node')
    cpSync(join(from, 'bin/napi-v6', platform), join(to, 'bin/napi-v6', platform), { recursive: true })
}
execFileSync('tar', ['czf', `${out}.tgz`, '-C', dirname(out), basename(out)])
const { size } = statSync(`${out}.tgz`)
console.log(`${out}.tgz: ${(size / 1e6).toFixed(1)} MB for ${platform}`)
if (size > MOST) throw new Error(`It weighs more than ${MOST / 1e6} MB.`)
