/** Convolutional networks in front of a vision transformer. */
import type { Value } from '../graph/index.ts'
import type { Parameters } from './types.ts'

/** Picture [batch, 3, height, width] to a feature map, by the names that presets use. */
export const backbones: ReadonlyMap<string, (parameters: Parameters, x: Value) => Value> = new Map()
