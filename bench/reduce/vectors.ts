// 10,000 vectors of 384 numbers: MiniLM's, of different sentences of STS-B. They are embedded once and kept in the temporary folder.
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedder } from '../../src/embed/index.ts'
import { readNpy, writeNpy } from '../../src/tensor/files/index.ts'
import type { Matrix } from '../../src/tensor/index.ts'
import { stsSentences } from '../sentences.ts'

/** The file, for other programs too. */
export const vectorsFile = join(tmpdir(), 'pipilo-reduce-vectors.npy')

export async function sentenceVectors(count = 10_000): Promise<Matrix> {
  if (!existsSync(vectorsFile)) {
    const sentences = [...new Set(stsSentences())].slice(0, count)
    const e = await embedder('all-MiniLM-L6-v2')
    const { data, dimensions } = await e.embed(sentences)
    await e.dispose()
    await writeNpy(vectorsFile, { dtype: 'float32', shape: [sentences.length, dimensions], data })
  }
  const { shape, data } = await readNpy(vectorsFile)
  return { rows: shape[0]!, columns: shape[1]!, data: data as Float32Array }
}
