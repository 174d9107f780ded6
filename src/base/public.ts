// Door of the package, `pipilo/base`: the one error class.
export { type ErrorCode, PipiloError, type PipiloErrorOptions } from './errors.ts'
