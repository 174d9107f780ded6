// Devices by name: what ONNX Runtime calls them, whose turn it is on one, and why one is not there.
import { createRequire } from 'node:module'
import { PipiloError } from '../../base/index.ts'
import type { Device } from '../types.ts'
import { devices } from './deviceNames.ts'
import { loadRuntime, type Plan, providers, smallestSession } from './engine.ts'
import { creationError, messageOf, sentence } from './failures.ts'

/** @throws `OPTION_INVALID` */
export function checkDevice(device: Device): Device {
  if (devices.includes(device)) return device
  throw new PipiloError('OPTION_INVALID', `There is no device ${JSON.stringify(device)}.`, {
    input: 'device',
    hint: `Known: ${devices.join(', ')}.`,
  })
}

const NEEDS: Record<Exclude<Device, 'cpu'>, string> = {
  webgpu:
    'It needs a GPU with a driver for Vulkan (Linux), Direct3D 12 (Windows) or Metal (macOS) that this process may use.',
  cuda: 'It needs an NVIDIA GPU with its driver, CUDA 12 and cuDNN 9, and the CUDA part of onnxruntime-node, which ONNXRUNTIME_NODE_INSTALL=skip leaves out.',
  coreml: 'It needs macOS.',
  directml: 'It needs Windows with a GPU for Direct3D 12.',
}

/** The error of a session that could not be made: `DEVICE_UNAVAILABLE` where the device is to blame and not the graph. */
export async function openingError(error: unknown, { device }: Plan): Promise<PipiloError> {
  if (!device || error instanceof PipiloError) return creationError(error)
  const { provider, build, known } = await aboutBuild(device)
  const other = 'Leave out device, or name another.'
  if (!known.some(({ name }) => name === provider)) {
    return new PipiloError(
      'DEVICE_UNAVAILABLE',
      `${build} has no ${device}; it has ${known.map(({ name }) => name).join(', ')}.`,
      { input: device, hint: `${NEEDS[device]} ${other}` },
    )
  }
  const missing = await smallestSession(device).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (missing === undefined) return creationError(error)
  return new PipiloError(
    'DEVICE_UNAVAILABLE',
    `${build} knows ${device}, but this machine gives it none: ${sentence(reason(messageOf(missing)))}`,
    { input: device, hint: `${NEEDS[device]} ${other}` },
  )
}

async function aboutBuild(device: Exclude<Device, 'cpu'>) {
  const { listSupportedBackends } = await loadRuntime()
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const build = `ONNX Runtime ${version} for ${process.platform} ${process.arch}`
  return { provider: providers[device], build, known: listSupportedBackends() }
}

/** Message of a failed check inside the library, without its place and condition. */
function reason(message: string): string {
  return /^\/\S+\.cc:\d+ .* was false\. (.*)$/s.exec(message)?.[1] ?? message
}
