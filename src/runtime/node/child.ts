// The entry of a child process: hands what it is sent to a worker thread of its own, so that it notices at any time when its parent is gone.
import { writeFileSync } from 'node:fs'
import { movable, type Request } from './protocol.ts'
import { Thread, ThreadEnded } from './thread.ts'

if (!process.send) throw new Error('child.ts is the entry of a child process.')

// Its parent has ended, was killed, or has let it go: nothing may go on for nobody, whatever the library is doing.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// Ctrl+C is for the parent, which may finish what it does.
process.on('SIGINT', () => {})
try {
  // Linux, where memory runs out, ends this process and not its parent.
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // Other systems choose for themselves.
}

const thread = new Thread()

process.on('message', async (request: Request) => {
  if (request.kind === 'close') {
    await thread.close()
    process.exit()
  }
  try {
    const feeds = 'feeds' in request ? movable(request.feeds) : undefined
    const reply = await thread.request(
      feeds ? ({ ...request, feeds: feeds.tensors } as Request) : request,
      feeds?.moved,
    )
    process.send?.(reply)
  } catch (error) {
    const why = error instanceof ThreadEnded ? `its thread ended: ${error.message}` : String(error)
    process.send?.({ kind: 'ended', why })
  }
})
