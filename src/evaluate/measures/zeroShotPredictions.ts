/** Classification by texts, without labelled examples. */
import { PipiloError } from '../../base/index.ts'
import { semanticSearch } from '../../embed/index.ts'
import { l2Normalize, type Matrix, row, type Vector } from '../../tensor/index.ts'
import { checkMatrix } from './labelled.ts'

/** See `zeroShotPredictions` in onDemand.ts. */
export async function zeroShotPredictions(
  vectors: readonly Vector[] | Matrix,
  descriptions: readonly (readonly Vector[])[],
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Uint32Array> {
  const asked = checkMatrix('vectors', vectors)
  if (descriptions.length < 2) {
    throw new PipiloError('INPUT_INVALID', `${descriptions.length} classes are described; two are needed.`, {
      input: 'descriptions',
    })
  }
  const classes = descriptions.map((texts, label) => {
    if (texts.length === 0) {
      throw new PipiloError('INPUT_INVALID', `Class ${label} has no description.`, { input: label })
    }
    const matrix = checkMatrix(`descriptions of class ${label}`, texts)
    const sum = new Float32Array(matrix.columns)
    for (let i = 0; i < matrix.rows; i++) {
      for (const [j, value] of l2Normalize(row(matrix, i)).entries()) sum[j]! += value
    }
    return l2Normalize(sum)
  })
  const found = await semanticSearch(asked, classes, { k: 1, ...(signal && { signal }) })
  return Uint32Array.from(found, ([best]) => best!.index)
}
