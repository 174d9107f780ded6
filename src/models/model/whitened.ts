// A model whose last layer whitens the averages of others.
import { decodeBase64 } from '../../base/index.ts'
import { Builder, op, resolveLayer } from '../../graph/index.ts'
import { l2Normalize, pool } from '../../nn/index.ts'
import { elementCount, float16ToFloat32, type Tensor } from '../../tensor/index.ts'
import type { Whitening } from '../cards/types.ts'
import type { FoundModel } from '../layouts/foundModel.ts'
import { derivedFingerprint } from './derivedFingerprint.ts'

/** Name of the layer that {@link whitened} adds. */
const LAYER = 'whitened'

/** A model as it was read, with one more layer and output: {@link LAYER}, [batch, dimensions]. */
export function whitened(found: FoundModel, { taps, dimensions, weight, bias }: Whitening): FoundModel {
  const builder = Builder.from(found.graph)
  const made = builder.scope(LAYER, () => {
    const parts = taps.map((tap) => {
      const map = builder.value(resolveLayer(found.graph, tap))
      return l2Normalize(pool(map, 'mean'))
    })
    const joined = l2Normalize(op.concat(parts, -1))
    const matrix = builder.initializer(`${LAYER}.weight`, halves(weight, [-1, dimensions]))
    const shift = builder.initializer(`${LAYER}.bias`, halves(bias, [dimensions]))
    return op.add(op.matMul(joined, matrix), shift)
  })
  builder.output(LAYER, made)
  return {
    ...found,
    graph: builder.build(),
    fingerprint: derivedFingerprint(found.fingerprint, `${LAYER} ${taps.join()} ${weight} ${bias}`),
  }
}

/** Half-precision numbers in base64 as float32; an axis of -1 is as long as they need. */
function halves(base64: string, shape: readonly number[]): Tensor {
  const data = float16ToFloat32(new Uint16Array(decodeBase64(base64)!.slice().buffer))
  const rest = elementCount(shape.filter((size) => size >= 0))
  return { dtype: 'float32', shape: shape.map((size) => (size < 0 ? data.length / rest : size)), data }
}
