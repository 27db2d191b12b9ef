package kind

// Below is a fail for the part of settings below a key.
func Below(key string, fail func(key, format string, args ...any)) func(key, format string, args ...any) {
	return func(below, format string, args ...any) {
		if below != "" {
			below = "." + below
		}
		fail(key+below, format, args...)
	}
}
