/**
 * Packs Pipilo, installs the tarball into an empty folder as a user would, and embeds there: by `import`, by `require`,
 * by TypeScript's types and by the command line. The folder knows nothing of this repository's settings.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipilo-package-'))
// GPU parts are downloaded from elsewhere than npm: a machine that reaches only npm's registry must skip them.
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
const run = (command: string, args: string[], cwd = folder) =>
  execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const embedding = `
  const { vectors, dimensions } = await e.embed(['football', 'soccer', 'footwear'])
  await e.dispose()
  const near = cosineSimilarity(vectors[0], vectors[1])
  const far = cosineSimilarity(vectors[0], vectors[2])
  if (dimensions !== 384 || !(near > far)) throw new Error('wrong vectors: ' + near + ', ' + far)
  const image = await pipeline('image-embedding')
  const vector = await image({ width: 8, height: 8, channels: 3, data: new Uint8Array(192).fill(90) })
  await image.dispose()
  if (vector.length < 32 || !vector.every(Number.isFinite)) throw new Error('wrong picture vector')
  const both = await pipeline('text-image-embedding')
  const [words, picture] = [await both.text('black square'), await both.image({ width: 8, height: 8, channels: 3, data: new Uint8Array(192) })]
  await both.dispose()
  if (!Number.isFinite(cosineSimilarity(words, picture))) throw new Error('wrong vectors of texts and pictures')
  const { decodeImage } = await import('pipilo/embed')
  const blurred = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><filter id="f"><feGaussianBlur stdDeviation="1"/></filter><path filter="url(#f)" d="M0 0h9v9"/></svg>'
  if ((await decodeImage(Buffer.from(blurred))).width !== 9) throw new Error('wrong drawing')
  const codestream = Buffer.from('ff4fff510029' + '0000' + '00000008'.repeat(2) + '00000000'.repeat(2) + '00000008'.repeat(2) + '00000000'.repeat(2) + '0001070101', 'hex')
  const missing = await decodeImage(codestream).catch((error) => error)
  if (missing.code !== 'FORMAT_UNSUPPORTED' || missing.hint !== 'npm install pdfjs-dist@5.6') throw new Error('no word of what is to be installed: ' + missing)
  const isolated = await embedder('all-MiniLM-L6-v2', { isolate: true })
  if ((await isolated.embed(['football'])).dimensions !== 384) throw new Error('wrong vectors of a child process')
  await isolated.dispose()
`
const files = {
  'package.json': JSON.stringify({ name: 'consumer', private: true }),
  'esm.mjs': `import { cosineSimilarity, embedder, pipeline } from 'pipilo'\nconst e = await embedder('all-MiniLM-L6-v2')\n${embedding}`,
  'cjs.cjs': `const { cosineSimilarity, embedder, pipeline } = require('pipilo')\n;(async () => {\nconst e = await embedder('all-MiniLM-L6-v2')\n${embedding}})()`,
  'types.mts': `import { embedder, type Embedder } from 'pipilo'\nimport { Builder, op } from 'pipilo/graph'\nconst e: Embedder = await embedder('all-MiniLM-L6-v2')\nconst vectors: Float32Array[] = (await e.embed(['a'])).vectors\n// @ts-expect-error a number is no input\nvoid e.embed([1])\nvoid [vectors, Builder, op]\n`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      module: 'NodeNext',
      target: 'ES2023',
      strict: true,
      noEmit: true,
      types: [],
      lib: ['ES2023', 'DOM'],
    },
    files: ['types.mts'],
  }),
}

let passed = false
try {
  const [{ filename, size }] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', folder], project).replace(/^[^[]*/, ''),
  )
  console.log(`packed ${filename}: ${(size / 1e6).toFixed(1)} MB`)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  run('npm', ['install', '--no-audit', '--no-fund', join(folder, filename)])
  console.log(`installed: ${run('du', ['-sm', 'node_modules']).split('\t')[0]} MB`)
  run(process.execPath, ['esm.mjs'])
  console.log('import: ok')
  run(process.execPath, ['cjs.cjs'])
  console.log('require: ok')
  run(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), '-p', '.'])
  console.log('types: ok')
  const line = run('npx', ['--no-install', 'pipilo', 'embed', '--text', 'football'])
  const { id, vector } = JSON.parse(line)
  if (id !== 'text:0' || vector.length !== 384) throw new Error(`wrong line: ${line.slice(0, 80)}`)
  console.log('command line: ok')
  for (const map of ['map.html', 'map.png'])
    run('npx', ['--no-install', 'pipilo', 'project', 'football', 'soccer', 'footwear', 'boot', '--out', map])
  const page = readFileSync(join(folder, 'map.html'), 'utf8')
  if (!page.includes('pipiloAtlas') || !existsSync(join(folder, 'map.png')))
    throw new Error('no map was drawn')
  console.log('maps: ok')
  passed = true
} finally {
  if (passed || process.env.CI) rmSync(folder, { recursive: true, force: true })
  else console.error(`left for a look: ${folder}`)
}
