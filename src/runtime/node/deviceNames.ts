// The names of devices: loaded with the package, so that it leans on nothing.
import type { Device } from '../types.ts'

/** Every device that can be asked for. */
export const devices: readonly Device[] = ['cpu', 'webgpu', 'cuda', 'coreml', 'directml']
