// Door of graph/quantize/: graphs in int8 and in float16.
export type { Run, Sample } from './calibrate.ts'
export { type Derived, inMemory, type Place } from './derived.ts'
export { type HalveOptions, halve } from './halve.ts'
export { type InHalfOptions, inHalf } from './inHalf.ts'
export { type QuantizeOptions, quantize } from './quantize.ts'
