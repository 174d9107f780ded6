// What `pipilo/base` offers: the one error class.
export { type ErrorCode, PipiloError, type PipiloErrorOptions } from './errors.ts'
