import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const NAMES = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
]

const found = (): string => {
  const places = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap(dir => NAMES.map(name => join(dir, name)))
  const browser = places.find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (browser) return browser
  throw new Error(
    `no browser: pages are tested in a real one, and none of ${NAMES.join(', ')} is on the PATH. On Debian: apt-get install chromium-headless-shell`,
  )
}

/** A browser of the machine, which may not speak to anybody but the page. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: found(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
