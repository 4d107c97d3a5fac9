// A button that copies a text and says that it did.

import { useState } from 'react'

const SHOWN_MILLISECONDS = 1500

export function Copy({ text, what }: { text: string; what: string }) {
  const [said, setSaid] = useState('')
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      setSaid('Copied')
    } catch {
      setSaid('Not allowed') // the browser's say; the whole text is in the element's title
    }
    window.setTimeout(() => setSaid(''), SHOWN_MILLISECONDS)
  }
  return (
    <button type="button" className="copy" aria-label={`Copy the ${what}`} onClick={() => void copy()}>
      {said || 'Copy'}
    </button>
  )
}
