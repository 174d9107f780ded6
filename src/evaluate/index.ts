// Door of evaluate/: which parts of an input an embedding comes from.
export { type ColorTokensOptions, colorTokens } from './attribution/colorTokens.ts'
export type { HeatMapOptions } from './attribution/heatMap.ts'
export type * from './attribution/types.ts'
export { attribute, heatMap } from './onDemand.ts'
