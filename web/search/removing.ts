// The dialog that asks before a collection is deleted.
import { counted, element } from '../dom.ts'
import { type Listed, Problem, remove } from './api.ts'

/** Asks, and deletes the collection if the reader wants to. @param onRemoved is called when it has gone */
export function askToRemove(
  dialog: HTMLDialogElement,
  { name, rows, uploads }: Listed,
  onRemoved: () => void,
): void {
  const told = element('p', { class: 'told failed', role: 'alert' })
  const go = element('button', { type: 'submit', class: 'main', text: 'Delete' })
  dialog.replaceChildren(
    element(
      'form',
      {
        on: {
          submit: (event: Event) => {
            event.preventDefault()
            go.disabled = true
            remove(name).then(
              () => {
                dialog.close()
                onRemoved()
              },
              (error: unknown) => {
                if (!(error instanceof Problem)) throw error
                go.disabled = false
                told.textContent = error.message
              },
            )
          },
        },
      },
      element('h2', { id: 'removing-title', text: `Delete ${name}?` }),
      element('p', {
        id: 'removing-what',
        text: `${counted(rows, 'row')} ${uploads ? 'and the files that were uploaded for them' : 'of it'} will be gone for good.${uploads ? '' : ' The files that they were made of stay.'}`,
      }),
      told,
      element(
        'p',
        { class: 'row buttons' },
        element('button', {
          type: 'button',
          autofocus: true,
          text: 'Keep it',
          on: { click: () => dialog.close() },
        }),
        go,
      ),
    ),
  )
  dialog.showModal()
}
