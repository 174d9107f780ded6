/**
 * Text to vectors, Pipilo beside transformers.js on the same weights (all-MiniLM-L6-v2): rate, first vector from a cold
 * process, memory, and how late the caller's event loop gets.
 *
 *     npm run text            # in bench/, after npm install; needs ../../shared for its sentences
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cosineSimilarity, open } from 'pipilo'
import { fold, writeOnnx } from 'pipilo/graph'
import { evaluate } from 'pipilo/runtime'
import { measure } from './child.ts'
import { matMulRate } from './matmul.ts'
import { mixedTexts } from './sentences.ts'

interface First {
  milliseconds: number
  peak: number
  vector: number[]
}
interface Run<Milliseconds> {
  milliseconds: Milliseconds
  late: number
  peak: number
  vectors: number[][]
}

/** A folder as transformers.js wants it: the same weights, as float32, in the graph that Pipilo saves. */
async function transformersFolder(): Promise<string> {
  const root = join(tmpdir(), 'pipilo-bench-transformers')
  const folder = join(root, 'minilm')
  if (existsSync(join(folder, 'onnx/model.onnx'))) return root
  mkdirSync(join(folder, 'onnx'), { recursive: true })
  const model = await open('all-MiniLM-L6-v2')
  const source = dirname(model.tokenizer!)
  for (const file of ['config.json', 'tokenizer.json']) cpSync(join(source, file), join(folder, file))
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({
      tokenizer_class: 'BertTokenizer',
      model_max_length: 256,
      do_lower_case: true,
      cls_token: '[CLS]',
      sep_token: '[SEP]',
      pad_token: '[PAD]',
      unk_token: '[UNK]',
      mask_token: '[MASK]',
    }),
  )
  const { graph } = model.cut('last_hidden_state')
  await writeOnnx(await fold(graph, evaluate), join(folder, 'onnx/model.onnx'))
  return root
}

/** Floating-point operations of MiniLM (6 layers, 384 wide) for texts of these lengths, padding not counted. */
function operations(lengths: readonly number[]): number {
  const [layers, width] = [6, 384]
  return lengths.reduce((sum, n) => sum + layers * (24 * width * width * n + 4 * n * n * width), 0)
}

const folder = await transformersFolder()
const texts = mixedTexts(512)
const batches = [1, 4, 8, 16, 32, 64, 512]

// Interleaved and repeated, so that neither side has the quieter machine.
const firsts: { ours: First; theirs: First }[] = []
for (let round = 0; round < 9; round++) {
  firsts.push({
    ours: await measure<First>('text/first-pipilo.js'),
    theirs: await measure<First>('text/first-transformers.js', [folder]),
  })
}
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!
const first = (side: 'ours' | 'theirs', what: 'milliseconds' | 'peak') =>
  median(firsts.map((one) => one[side][what]))

const rate = await matMulRate()
const ours = await measure<Run<number>>('text/run-pipilo.ts', [], texts)
const theirs = await measure<Run<Record<number, number>> & { tokens: number[] }>(
  'text/run-transformers.ts',
  [folder, ...batches.map(String)],
  texts,
)
const again = await measure<Run<number>>('text/run-pipilo.ts', [], texts)
const milliseconds = Math.min(ours.milliseconds, again.milliseconds)

const perSecond = (ms: number) => (texts.length / ms) * 1000
const ranked = batches.map((size) => ({ size, ms: theirs.milliseconds[size]! })).sort((a, b) => a.ms - b.ms)
const fastest = ranked[0]!
const tokens = theirs.tokens.reduce((sum, n) => sum + Math.min(n, 256), 0)
const gigaflops = operations(theirs.tokens.map((n) => Math.min(n, 256))) / milliseconds / 1e6
const agreement = Math.min(
  ...ours.vectors.map((vector, i) =>
    theirs.tokens[i]! > 256
      ? 1
      : cosineSimilarity(Float32Array.from(vector), Float32Array.from(theirs.vectors[i]!)),
  ),
)

console.log(
  `512 texts, ${(tokens / texts.length).toFixed(1)} tokens on average; least cosine between the sides ${agreement.toFixed(6)}\n`,
)
console.table({
  'Pipilo, texts/s': { value: perSecond(milliseconds).toFixed(0) },
  ...Object.fromEntries(
    batches.map((size) => [
      `transformers.js, batches of ${size}, texts/s`,
      {
        value: perSecond(theirs.milliseconds[size]!).toFixed(0),
        ratio: (theirs.milliseconds[size]! / milliseconds).toFixed(2),
      },
    ]),
  ),
})
const row = (pipilo: number, peer: number, goal: string) => ({
  Pipilo: pipilo.toFixed(0),
  'transformers.js': peer.toFixed(0),
  'Pipilo / transformers.js': (pipilo / peer).toFixed(2),
  goal,
})
console.table({
  [`rate at its best batch (${fastest.size}), texts/s`]: row(
    perSecond(milliseconds),
    perSecond(fastest.ms),
    '≥ 1.5',
  ),
  'rate at batches of 32, texts/s': row(
    perSecond(milliseconds),
    perSecond(theirs.milliseconds[32]!),
    '≥ 2.5',
  ),
  'first vector from a cold process, ms': row(
    first('ours', 'milliseconds'),
    first('theirs', 'milliseconds'),
    '≤ 0.5',
  ),
  'peak memory, first vector, MB': row(first('ours', 'peak'), first('theirs', 'peak'), '≤ 1'),
  'peak memory, 512 texts, MB': row(ours.peak, theirs.peak, '≤ 1'),
  'event loop late by at most, ms': row(ours.late, theirs.late, '≤ 20 ms'),
})
console.log(
  `one large MatMul: ${rate.toFixed(0)} GFLOP/s; MiniLM on real tokens: ${gigaflops.toFixed(0)} GFLOP/s, share ${(gigaflops / rate).toFixed(2)} (goal ≥ 0.75)`,
)
