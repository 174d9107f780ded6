// Placement of a graph's operators on device and CPU, as told by the library's own profile of one run.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Graph } from '../../graph/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { CompileOptions, Placement } from '../types.ts'
import { compile } from './compile.ts'

/** See `placement` in onDemand.ts. */
export async function placement(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  options: Omit<CompileOptions, 'profile' | 'persist' | 'early'> = {},
): Promise<Placement> {
  const folder = await mkdtemp(join(tmpdir(), 'pipilo-profile-'))
  try {
    const session = await compile(graph, { workers: 1, ...options, profile: join(folder, 'run') })
    try {
      await session.run(feeds)
    } finally {
      // The profile is written as the session ends.
      await session.dispose()
    }
    const nodes = new Map<string, { provider: string; op: string }>()
    for (const name of await readdir(folder)) {
      for (const event of JSON.parse(await readFile(join(folder, name), 'utf8')) as Event[]) {
        const { provider, op_name: op } = event.args ?? {}
        if (event.cat === 'Node' && event.name.endsWith('_kernel_time') && provider && op)
          nodes.set(event.name, { provider, op })
      }
    }
    const onCpu: Record<string, number> = {}
    for (const { provider, op } of nodes.values())
      if (provider === 'CPUExecutionProvider') onCpu[op] = (onCpu[op] ?? 0) + 1
    const { device, half, halfRefused } = session
    return {
      device,
      operators: nodes.size,
      onCpu,
      ...(half && { half }),
      ...(halfRefused && { halfRefused }),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** An entry of the profile. */
interface Event {
  readonly cat: string
  readonly name: string
  readonly args?: { readonly provider?: string; readonly op_name?: string }
}
