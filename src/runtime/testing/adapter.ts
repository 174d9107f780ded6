// Finds out if this machine can run WebGPU: with a GPU, or on the processor with the SwiftShader that comes with Chromium.
import { existsSync } from 'node:fs'
import { compile } from '../node/compile.ts'
import { addition } from './graphs.ts'

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json'

/** Why tests on WebGPU are skipped here; undefined where they run. To be called before the library is loaded. */
export async function withoutWebgpu(): Promise<string | undefined> {
  if (!process.env['VK_DRIVER_FILES'] && existsSync(SWIFTSHADER)) {
    process.env['VK_DRIVER_FILES'] = SWIFTSHADER
    process.env['VK_ICD_FILENAMES'] = SWIFTSHADER
  }
  const session = await compile(addition(), { device: 'webgpu', workers: 1 }).catch((error: Error) => error)
  if (session instanceof Error) return `skipped, there is no WebGPU here: ${session.message}`
  await session.dispose()
  return undefined
}
