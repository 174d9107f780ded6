// Door of base/: errors, aborting, limits of concurrency, suggestions for misspelt names.

export * from './abort.ts'
export { decodeBase64, encodeBase64 } from './base64.ts'
export { concatenate, readUpTo } from './bytes.ts'
export * from './canonicalJson.ts'
export { checkCount } from './checkCount.ts'
export * from './closest.ts'
export * from './errors.ts'
export { escapeHtml } from './escapeHtml.ts'
export * from './flow/breathe.ts'
export * from './flow/queue.ts'
export * from './flow/turns.ts'
export { gitLfsPointer, LARGEST_POINTER } from './gitLfs.ts'
export { isTooDeep, parseJson } from './json.ts'
export * from './lazily.ts'
export {
  checkOption,
  checkOptions,
  type OptionTable,
  type OptionType,
  shownValue,
  withOptions,
} from './options.ts'
export * as is from './optionTypes.ts'
export * from './plainCopy.ts'
export { type FileRange, giveRangeReader, rangeReader } from './rangeReader.ts'
export * from './retryAfter.ts'
export * from './sha256.ts'
