// Door of serve/: embedders and collections behind HTTP.
export { serve, serveSettings } from './onDemand.ts'
export type { AccessLine } from './seen/accessLog.ts'
export type * from './types.ts'
