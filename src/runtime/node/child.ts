// The entry of a child process: hands what it is sent to a worker thread of its own, so that it notices at any time when its parent is gone.
import { serveParent } from '../../base/files/index.ts'
import { movable, type Request } from './protocol.ts'
import { Thread, ThreadEnded } from './thread.ts'

serveParent('child.ts')

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
