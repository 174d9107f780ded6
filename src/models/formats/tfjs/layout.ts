// Transposes values between channels last and channels first.
import { op, type Value } from '../../../graph/index.ts'

/** [batch, channels, height, width] → [batch, height, width, channels]; other ranks stay as they are. */
export function channelsLast(value: Value): Value {
  return value.shape.length === 4 ? op.transpose(value, [0, 2, 3, 1]) : value
}

/** [batch, height, width, channels] → [batch, channels, height, width]; other ranks stay as they are. */
export function channelsFirst(value: Value): Value {
  return value.shape.length === 4 ? op.transpose(value, [0, 3, 1, 2]) : value
}

/** The axis that is Keras' last one: 1 in a feature map, else the last. */
export function channelAxis(value: Value): number {
  const rank = value.shape.length
  return rank === 4 ? 1 : rank - 1
}
