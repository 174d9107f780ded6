// Door of `pipilo/base` for users: the one error class.
export { type ErrorCode, PipiloError, type PipiloErrorJSON, type PipiloErrorOptions } from './errors.ts'
