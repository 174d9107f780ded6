// Graph of the similarity of embeddings with a vector, and of its gradient by an inner value.
import { PipiloError } from '../../base/index.ts'
import { grad } from '../../grad/index.ts'
import { Builder, feed, type Graph, op, type Value } from '../../graph/index.ts'
import { l2Normalize, tensor, type Vector } from '../../tensor/index.ts'

/** Input of {@link similarityGraph}: rows of the inner value. */
export const VARIED = 'attribution.input'
/** Its outputs: the cosine of each row, and the gradient of their sum by the rows. */
export const COSINES = 'attribution.cosines'
export const GRADIENT = `${VARIED}.grad`
const SUM = 'attribution.sum'

/**
 * The graph of an embedding entered at an inner value, with the cosines of its rows with `towards`, and their gradients, as outputs.
 *
 * @param value name of the value that the gradient is by, which becomes the input {@link VARIED}
 */
export function similarityGraph(embedding: Graph, value: string, towards: Vector): Graph {
  const builder = Builder.from(feed(embedding, { [value]: VARIED }), { outputs: 'clear' })
  builder.scope('attribution', () => {
    checkFloat(builder.value(VARIED))
    const vectors = builder.value('embedding')
    checkLength(vectors.shape.at(-1), towards.length)
    const direction = builder.constant(tensor('float32', [towards.length], l2Normalize(towards)))
    const lengths = op.clip(op.reduceL2(vectors, [1]), 1e-12)
    const cosines = op.div(op.reduceSum(op.mul(vectors, direction), [1]), lengths)
    builder.output(COSINES, cosines)
    builder.output(SUM, op.reduceSum(cosines))
  })
  const whole = grad(builder.build(), { of: SUM, by: [VARIED] })
  return { ...whole, outputs: whole.outputs.filter(({ name }) => name === COSINES || name === GRADIENT) }
}

function checkLength(width: number | string | undefined, length: number): void {
  if (typeof width !== 'number' || width === length) return
  throw new PipiloError(
    'DIMENSION_MISMATCH',
    `The vector has ${length} numbers, and the embeddings have ${width}.`,
    { input: 'towards', hint: 'Give a vector of the same embedder, or an input of it.' },
  )
}

function checkFloat({ dtype }: Value): void {
  if (dtype === 'float32') return
  throw new PipiloError('DTYPE_MISMATCH', `The model takes its input in ${dtype}, not in float32.`, {
    hint: 'Use one whose inputs are float32.',
  })
}
