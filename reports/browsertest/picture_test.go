package browsertest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
)

// TestPicture takes a picture of a page for people: RESPAWN_PICTURE_OF is its file, RESPAWN_PICTURE the PNG to write.
// The rest is optional: RESPAWN_WIDTH and RESPAWN_HEIGHT (0: the whole page), RESPAWN_SCHEME (light, dark),
// RESPAWN_MEDIA (print).
func TestPicture(t *testing.T) {
	path, to := os.Getenv("RESPAWN_PICTURE_OF"), os.Getenv("RESPAWN_PICTURE")
	if path == "" || to == "" {
		t.Skip("no picture is wanted: RESPAWN_PICTURE_OF and RESPAWN_PICTURE are empty")
	}
	path, err := filepath.Abs(path)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	number := func(name string, otherwise int64) int64 {
		if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	height := number("RESPAWN_HEIGHT", 900)
	b := open(t, path, chromedp.EmulateViewport(number("RESPAWN_WIDTH", 1120), max(height, 900)),
		media(os.Getenv("RESPAWN_MEDIA"), os.Getenv("RESPAWN_SCHEME")))
	take := chromedp.CaptureScreenshot()
	if height == 0 {
		take = chromedp.FullScreenshot(100)
	}
	data, err := chromedp.Run(b.ctx, take)
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(os.WriteFile(to, data, 0o644)).To(Succeed())
}
