// What somebody sees who isn't signed in: how to get a link.

import { Icon } from './Icon'

export function SignIn() {
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <span className="sign-in-lock">
          <Icon name="lock" size={22} />
        </span>
        <h1>Sign in with a link</h1>
        <p>
          This page opens with a link that works once. <code>gennaker serve</code> prints one when it starts; this prints a
          new one:
        </p>
        <pre>
          <code>gennaker link</code>
        </pre>
        <p className="muted">Run it as the user who started the server, on the same machine, and open what it prints.</p>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          I have opened it: try again
        </button>
      </div>
    </main>
  )
}
