// Turns of work on devices that only one thread of a process may use at a time.
import { Turns } from '../../base/index.ts'
import type { Plan } from './engine.ts'

const webgpu = new Turns(1)

/**
 * The turns that all work on a device takes, or undefined where it needs none.
 *
 * ONNX Runtime has one WebGPU context a process. Two threads inside it at the same time end the process with a segmentation
 * fault; one after the other they get along.
 */
export function turnsOf({ device }: Plan): Turns | undefined {
  return device === 'webgpu' ? webgpu : undefined
}
