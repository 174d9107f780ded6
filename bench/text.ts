/**
 * Text to vectors, Pipilo beside transformers.js on the same weights (all-MiniLM-L6-v2): rate, first vector from a cold
 * process, memory, and how late the caller's event loop gets. Each is the median of as many processes on either side, turn
 * about; memory and event loop are those of the batch size whose rate stands beside them.
 *
 *     npm run text            # in bench/, after npm install; needs ../../shared for its sentences
 *     npm run text -- 5       # as many rounds of the 512 texts (default 3)
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cosineSimilarity, open } from 'pipilo'
import { fold, writeOnnx } from 'pipilo/graph'
import { evaluate } from 'pipilo/runtime'
import { measure, median } from './child.ts'
import { matMulRate } from './matmul.ts'
import { mixedTexts } from './sentences.ts'

interface First {
  milliseconds: number
  peak: number
  vector: number[]
}
interface Run {
  milliseconds: number
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
const rounds = Number(process.argv[2] ?? 3)

// Interleaved and repeated, so that neither side has the quieter machine.
const firsts: { ours: First; theirs: First }[] = []
for (let round = 0; round < 9; round++) {
  firsts.push({
    ours: await measure<First>('text/first-pipilo.js'),
    theirs: await measure<First>('text/first-transformers.js', [folder]),
  })
}
const first = (side: 'ours' | 'theirs', what: 'milliseconds' | 'peak') =>
  median(firsts.map((one) => one[side][what]))

const rate = await matMulRate()
type PeerRun = Run & { tokens: number[] }
const runPeer = (size: number) => measure<PeerRun>('text/run-transformers.ts', [folder, String(size)], texts)
const ourRuns: Run[] = []
const peerRuns = new Map<number, PeerRun[]>(batches.map((size) => [size, []]))
for (let round = 0; round < rounds; round++) {
  ourRuns.push(await measure<Run>('text/run-pipilo.ts', [], texts))
  for (const [size, runs] of peerRuns) runs.push(await runPeer(size))
}
const middle = (runs: readonly Run[], what: 'milliseconds' | 'late' | 'peak') =>
  median(runs.map((run) => run[what]))
const milliseconds = middle(ourRuns, 'milliseconds')
const peers = batches
  .map((size) => ({ size, runs: peerRuns.get(size)!, ms: middle(peerRuns.get(size)!, 'milliseconds') }))
  .sort((a, b) => a.ms - b.ms)
const fastest = peers[0]!
const { tokens: lengths, vectors: theirs } = fastest.runs[0]!

const perSecond = (ms: number) => (texts.length / ms) * 1000
const tokens = lengths.reduce((sum, n) => sum + Math.min(n, 256), 0)
const gigaflops = operations(lengths.map((n) => Math.min(n, 256))) / milliseconds / 1e6
const agreement = Math.min(
  ...ourRuns[0]!.vectors.map((vector, i) =>
    lengths[i]! > 256 ? 1 : cosineSimilarity(Float32Array.from(vector), Float32Array.from(theirs[i]!)),
  ),
)

console.log(
  `512 texts, ${(tokens / texts.length).toFixed(1)} tokens on average; least cosine between the sides ${agreement.toFixed(6)}; medians of ${rounds}\n`,
)
const measured = (runs: readonly Run[]) => ({
  'texts/s': perSecond(middle(runs, 'milliseconds')).toFixed(0),
  'slowest, fastest': [Math.max, Math.min]
    .map((end) => perSecond(end(...runs.map((run) => run.milliseconds))).toFixed(0))
    .join(', '),
  'peak memory, MB': middle(runs, 'peak').toFixed(0),
  'event loop late by at most, ms': middle(runs, 'late').toFixed(0),
})
console.table({
  Pipilo: measured(ourRuns),
  ...Object.fromEntries(
    batches.map((size) => [`transformers.js, batches of ${size}`, measured(peerRuns.get(size)!)]),
  ),
})
const row = (pipilo: number, peer: number, goal: string) => ({
  Pipilo: pipilo.toFixed(0),
  'transformers.js': peer.toFixed(0),
  'Pipilo / transformers.js': (pipilo / peer).toFixed(2),
  goal,
})
const beside = (what: { size: number; runs: readonly Run[]; ms: number }, name: string, goal: string) => ({
  [`rate beside its ${name}, texts/s`]: row(perSecond(milliseconds), perSecond(what.ms), goal),
  [`peak memory beside its ${name}, MB`]: row(middle(ourRuns, 'peak'), middle(what.runs, 'peak'), '≤ 1'),
  [`event loop late beside its ${name}, ms`]: row(
    middle(ourRuns, 'late'),
    middle(what.runs, 'late'),
    'Pipilo ≤ 20 ms',
  ),
})
console.table({
  ...beside(
    fastest,
    fastest.size === 1 ? 'one by one (its best)' : `batches of ${fastest.size} (its best)`,
    '≥ 1.5',
  ),
  ...beside(peers.find(({ size }) => size === 32)!, 'batches of 32', '≥ 2.5'),
  'first vector from a cold process, ms': row(
    first('ours', 'milliseconds'),
    first('theirs', 'milliseconds'),
    '≤ 0.5',
  ),
  'peak memory, first vector, MB': row(first('ours', 'peak'), first('theirs', 'peak'), '≤ 1'),
})
console.log(
  `one large MatMul: ${rate.toFixed(0)} GFLOP/s; MiniLM on real tokens: ${gigaflops.toFixed(0)} GFLOP/s; throughput relative to one large MatMul on this machine: ${(gigaflops / rate).toFixed(2)} (goal ≥ 0.75)`,
)
