/** Classification by texts, without labelled examples. */
import { PipiloError } from '../../base/index.ts'
import { semanticSearch } from '../../embed/index.ts'
import { l2Normalize, type Matrix, row, type Vector } from '../../tensor/index.ts'
import { checkMatrix } from './labelled.ts'

/**
 * Predicts the class of each vector: the one whose description lies nearest.
 *
 * @example
 * ```ts
 * const { vectors: pictures } = await clip.embed(files)
 * const { vectors: texts } = await clip.embed(classes.map((name) => ({ text: `a photo of a ${name}` })))
 * const predictions = await zeroShot(pictures, texts.map((vector) => [vector]))
 * ```
 *
 * @remarks
 * As CLIP (https://arxiv.org/abs/2103.00020, section 3.1): several descriptions of a class are normalised, averaged, and normalised again.
 *
 * @param vectors to classify
 * @param descriptions for each class, the vectors of its descriptions, by a model of the same space
 * @returns indices into `descriptions`
 * @throws `INPUT_INVALID` for fewer than two classes, a class without description, NaN and infinities; `DIMENSION_MISMATCH`
 */
export async function zeroShot(
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
