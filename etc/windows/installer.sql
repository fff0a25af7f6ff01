-- What wixl has no words for. build-aux/windows/package runs this, statement by statement, on the installer that it has made, with the
-- program's version for @VERSION_NUMBERS@.

-- The old version goes within the same transaction: if the new one cannot be installed, the old one comes back.
UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'
-- 64-bit, permanent, never overwritten
UPDATE `Component` SET `Attributes` = 400 WHERE `Component` = 'Configuration'
UPDATE `Component` SET `Attributes` = 400 WHERE `Component` = 'Users'
-- The version that the program has in itself: Windows does not replace a file that has one by a file of which nothing is said here, and
-- would then have no program at all once the old version has gone. Where there is a version there is no hash.
UPDATE `File` SET `Version` = '@VERSION_NUMBERS@', `Language` = '1033' WHERE `File` = 'pgweir.exe'
DELETE FROM `MsiFileHash` WHERE `File_` = 'pgweir.exe'
UPDATE `Property` SET `Value` = 'WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;FIREWALL' WHERE `Property` = 'SecureCustomProperties'

-- Actions with the system's rights. Types: 3090 and 3106 run an installed file and a command of Windows; 3346 is for when the
-- installation is taken back; 64 more, and a failure does not matter.

-- Everybody may make directories in ProgramData, and whoever made this one before us would own it, and what is in it, for good.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('OwnData', 3170, 'System64Folder', '"[System64Folder]takeown.exe" /A /F "[DATADIR]."')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('OwnData', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3702)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ResetData', 3170, 'System64Folder', '"[System64Folder]icacls.exe" "[DATADIR]." /reset')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ResetData', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3704)
-- Passwords are for administrators and the system, and for the service, to which -regservice gives access.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ProtectData', 3170, 'System64Folder', '"[System64Folder]icacls.exe" "[DATADIR]." /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ProtectData', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3710)
-- What was there before has, from now on, what the directory gives.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('OwnConfiguration', 3170, 'System64Folder', '"[System64Folder]takeown.exe" /A /F "[DATADIR]pgweir.ini"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('OwnConfiguration', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3712)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ResetConfiguration', 3170, 'System64Folder', '"[System64Folder]icacls.exe" "[DATADIR]pgweir.ini" /reset')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ResetConfiguration', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3714)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('OwnUsers', 3170, 'System64Folder', '"[System64Folder]takeown.exe" /A /F "[DATADIR]userlist.txt"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('OwnUsers', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3716)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('ResetUsers', 3170, 'System64Folder', '"[System64Folder]icacls.exe" "[DATADIR]userlist.txt" /reset')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ResetUsers', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 3718)

-- A configuration that was kept from before may be broken: then -regservice, typed by hand, says so. In an upgrade the service is
-- there, and stays as it is; only where the old version has taken it along (Wine does not tell it what it goes for) is it made.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('RegisterBack', 3410, 'pgweir.exe', '-unregservice "[DATADIR]pgweir.ini"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('RegisterBack', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 4010)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Register', 3154, 'pgweir.exe', '-regservice "[DATADIR]pgweir.ini"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Register', 'NOT Installed', 4020)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Unregister', 3154, 'pgweir.exe', '-unregservice "[DATADIR]pgweir.ini"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Unregister', 'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE', 1950)

-- An upgrade keeps what is registered, and has stopped it.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('StartAgain', 3170, 'System64Folder', '"[System64Folder]sc.exe" start pgweir')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('StartAgain', 'WIX_UPGRADE_DETECTED', 5950)

INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('FirewallClose', 3170, 'System64Folder', '"[System64Folder]netsh.exe" advfirewall firewall delete rule name=pgweir')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('FirewallClose', '(REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE) OR (FIREWALL=1 AND NOT Installed)', 5810)
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('FirewallOpen', 3170, 'System64Folder', '"[System64Folder]netsh.exe" advfirewall firewall add rule name=pgweir dir=in action=allow protocol=TCP profile=domain,private program="[INSTALLDIR]pgweir.exe"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('FirewallOpen', 'FIREWALL=1 AND NOT Installed', 5820)
