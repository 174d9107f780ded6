export * from './cards.ts'
export { readSafetensors, type Safetensors, writeSafetensors } from './safetensors.ts'
export * from './types.ts'
