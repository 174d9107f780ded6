// ResNet-50 from its checkpoint in a fresh process: milliseconds from the imported library to the session that is ready.
// With `kept`, the session that an earlier process has left in the cache is taken, as embedder() does from its second time on.
// Plain JavaScript on the built package: loading TypeScript would count as well.
import { rmSync } from 'node:fs'
import { open } from 'pipilo'
import { compile, warmUp } from 'pipilo/runtime'

const [folder, cacheDir, kept] = process.argv.slice(2)
if (!kept) rmSync(cacheDir, { recursive: true, force: true })
const start = performance.now()
warmUp() // as embedder() does
const model = await open(`file:${folder}`)
const session = await compile(model.embedding({ preprocess: false }), {
  cacheDir,
  persist: kept !== undefined,
})
const ready = performance.now()
const data = new Float32Array(3 * 224 * 224)
await session.run({ pixel_values: { dtype: 'float32', shape: [1, 3, 224, 224], data } })
const first = performance.now()
console.log(JSON.stringify({ ready: ready - start, first: first - start }))
await session.dispose()
