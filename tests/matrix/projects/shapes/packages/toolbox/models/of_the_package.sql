select {{ toolbox.shout("'one'") }} as word
